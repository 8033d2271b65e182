// Double precision: a tiled product with edges, and determinants by elimination in local memory.
extern "C" __global__ void dgemm(const double* A, const double* B, double* C, int M, int N, int K, double alpha, double beta)
{
    __shared__ double a[8][9], b[8][9];
    int x = threadIdx.x, y = threadIdx.y, row = blockIdx.y * 8 + y, column = blockIdx.x * 8 + x;
    double sum = 0;
    for (int k = 0; k < K; k += 8) {
        a[y][x] = row < M && k + x < K ? A[row * K + k + x] : 0;
        b[y][x] = column < N && k + y < K ? B[(k + y) * N + column] : 0;
        __syncthreads();
        for (int i = 0; i < 8; i++) sum = fma(a[y][i], b[i][x], sum);
        __syncthreads();
    }
    if (row < M && column < N) C[row * N + column] = fma(alpha, sum, beta * C[row * N + column]);
}

extern "C" __global__ void determinant(const double* in, double* out, int n)
{
    int g = blockIdx.x * blockDim.x + threadIdx.x;
    if (g >= n) return;
    double m[5][5], d = 1;
    for (int i = 0; i < 25; i++) m[i / 5][i % 5] = in[g * 25 + i];
    for (int c = 0; c < 5; c++) {
        int p = c;
        for (int r = c + 1; r < 5; r++) if (fabs(m[r][c]) > fabs(m[p][c])) p = r;
        if (p != c) {
            d = -d;
            for (int k = 0; k < 5; k++) { double q = m[p][k]; m[p][k] = m[c][k]; m[c][k] = q; }
        }
        d *= m[c][c];
        if (m[c][c] == 0) break;
        for (int r = c + 1; r < 5; r++) {
            double f = m[r][c] / m[c][c];
            for (int k = c; k < 5; k++) m[r][k] = fma(-f, m[c][k], m[r][k]);
        }
    }
    out[g] = d;
}
