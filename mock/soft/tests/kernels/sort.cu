// Sorting: bitonic over shared memory, by digits with counters, a heap in local memory, and quicksort by recursion.
extern "C" __global__ void bitonic(float* data)
{
    extern __shared__ float s[];
    int t = threadIdx.x, n = blockDim.x;
    s[t] = data[blockIdx.x * n + t];
    __syncthreads();
    for (int k = 2; k <= n; k <<= 1)
        for (int j = k >> 1; j; j >>= 1) {
            int x = t ^ j;
            if (x > t && (s[t] > s[x]) == ((t & k) == 0)) { float q = s[t]; s[t] = s[x]; s[x] = q; }
            __syncthreads();
        }
    data[blockIdx.x * n + t] = s[t];
}

extern "C" __global__ void digit(const unsigned* in, unsigned* out, int n, int shift)
{
    __shared__ int count[16][64], total[16];
    int t = threadIdx.x, per = (n + 63) / 64, begin = t * per, end = min(n, begin + per);
    for (int k = 0; k < 16; k++) count[k][t] = 0;
    for (int i = begin; i < end; i++) count[in[i] >> shift & 15][t]++;
    __syncthreads();
    if (t < 16) {
        int sum = 0;
        for (int i = 0; i < 64; i++) { int v = count[t][i]; count[t][i] = sum; sum += v; }
        total[t] = sum;
    }
    __syncthreads();
    if (t == 0) {
        int sum = 0;
        for (int k = 0; k < 16; k++) { int v = total[k]; total[k] = sum; sum += v; }
    }
    __syncthreads();
    for (int i = begin; i < end; i++) {
        int k = in[i] >> shift & 15;
        out[total[k] + count[k][t]++] = in[i];
    }
}

__device__ void sift(int* h, int r, int n)
{
    while (2 * r + 1 < n) {
        int c = 2 * r + 1;
        if (c + 1 < n && h[c + 1] > h[c]) c++;
        if (h[r] >= h[c]) return;
        int q = h[r]; h[r] = h[c]; h[c] = q;
        r = c;
    }
}

extern "C" __global__ void heap(int* data, int n)
{
    int g = blockIdx.x * blockDim.x + threadIdx.x;
    if (g >= n) return;
    int h[24];
    for (int i = 0; i < 24; i++) h[i] = data[g * 24 + i];
    for (int s = 11; s >= 0; s--) sift(h, s, 24);
    for (int e = 23; e > 0; e--) { int q = h[0]; h[0] = h[e]; h[e] = q; sift(h, 0, e); }
    for (int i = 0; i < 24; i++) data[g * 24 + i] = h[i];
}

__device__ __noinline__ void sorted(int* a, int low, int high)
{
    if (low >= high) return;
    int pivot = a[high], i = low - 1;
    for (int j = low; j < high; j++)
        if (a[j] <= pivot) { i++; int q = a[i]; a[i] = a[j]; a[j] = q; }
    int q = a[i + 1]; a[i + 1] = a[high]; a[high] = q;
    sorted(a, low, i);
    sorted(a, i + 2, high);
}

extern "C" __global__ void quick(int* data, int n) { sorted(data + (blockIdx.x * blockDim.x + threadIdx.x) * n, 0, n - 1); }
