// The kernels of the CUDA fixtures in OpenCL C, line by line: same parameters, same blocks.

kernel void vadd(global const float* a, global const float* b, global float* c, int n)
{
    int i = get_global_id(0);
    if (i < n) c[i] = a[i] + b[i];
}

kernel void saxpy(int n, float a, global const float* x, global float* y)
{
    for (int i = get_global_id(0); i < n; i += get_global_size(0)) y[i] = fma(a, x[i], y[i]);
}

kernel void reduce_tree(global const int* in, global int* out, int n)
{
    local int s[256];
    int t = get_local_id(0), i = get_global_id(0);
    s[t] = i < n ? in[i] : 0;
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int o = 128; o > 0; o >>= 1) {
        if (t < o) s[t] += s[t + o];
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    if (t == 0) out[get_group_id(0)] = s[0];
}

kernel void histogram(global const uchar* d, global uint* h, int n)
{
    local uint s[256];
    for (int i = get_local_id(0); i < 256; i += get_local_size(0)) s[i] = 0;
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int i = get_global_id(0); i < n; i += get_global_size(0)) atomic_inc(&s[d[i]]);
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int i = get_local_id(0); i < 256; i += get_local_size(0)) atomic_add(&h[i], s[i]);
}

#define T 16
kernel void matmul_tiled(global const float* A, global const float* B, global float* C, int M, int N, int K)
{
    local float As[T][T], Bs[T][T];
    int x = get_local_id(0), y = get_local_id(1), r = get_global_id(1), c = get_global_id(0);
    float acc = 0;
    for (int k0 = 0; k0 < K; k0 += T) {
        As[y][x] = r < M && k0 + x < K ? A[r * K + k0 + x] : 0;
        Bs[y][x] = k0 + y < K && c < N ? B[(k0 + y) * N + c] : 0;
        barrier(CLK_LOCAL_MEM_FENCE);
        for (int k = 0; k < T; k++) acc = fma(As[y][k], Bs[k][x], acc);
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    if (r < M && c < N) C[r * N + c] = acc;
}

kernel void mandelbrot(global uint* out, int w, int h, float x0, float y0, float dx, float dy, int most)
{
    int px = get_global_id(0), py = get_global_id(1);
    if (px >= w || py >= h) return;
    float cx = fma(px, dx, x0), cy = fma(py, dy, y0), x = 0, y = 0;
    int count = 0;
    while (fma(x, x, y * y) < 4 && count < most) {
        float t = fma(x, x, -(y * y)) + cx;
        y = fma(x + x, y, cy);
        x = t;
        count++;
    }
    out[py * w + px] = count;
}
