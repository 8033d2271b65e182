// Running sums: up and down a tree, and by shuffles.
extern "C" __global__ void tree(int* data, int n)
{
    extern __shared__ int t[];
    int i = threadIdx.x, base = blockIdx.x * 2 * blockDim.x, offset = 1;
    t[2 * i] = base + 2 * i < n ? data[base + 2 * i] : 0;
    t[2 * i + 1] = base + 2 * i + 1 < n ? data[base + 2 * i + 1] : 0;
    for (int s = blockDim.x; s > 0; s >>= 1) {
        __syncthreads();
        if (i < s) t[offset * (2 * i + 2) - 1] += t[offset * (2 * i + 1) - 1];
        offset *= 2;
    }
    if (i == 0) t[2 * blockDim.x - 1] = 0;
    for (int s = 1; s < 2 * blockDim.x; s *= 2) {
        offset >>= 1;
        __syncthreads();
        if (i < s) {
            int x = offset * (2 * i + 1) - 1, y = offset * (2 * i + 2) - 1, v = t[x];
            t[x] = t[y];
            t[y] += v;
        }
    }
    __syncthreads();
    if (base + 2 * i < n) data[base + 2 * i] = t[2 * i];
    if (base + 2 * i + 1 < n) data[base + 2 * i + 1] = t[2 * i + 1];
}

extern "C" __global__ void shuffles(const long long* in, long long* out, int n)
{
    __shared__ long long warps[32];
    int g = blockIdx.x * blockDim.x + threadIdx.x, lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
    long long v = g < n ? in[g] : 0;
    for (int o = 1; o < 32; o *= 2) { long long u = __shfl_up_sync(~0u, v, o); if (lane >= o) v += u; }
    if (lane == 31) warps[warp] = v;
    __syncthreads();
    if (warp == 0) {
        long long x = lane < blockDim.x / 32 ? warps[lane] : 0;
        for (int o = 1; o < 32; o *= 2) { long long u = __shfl_up_sync(~0u, x, o); if (lane >= o) x += u; }
        warps[lane] = x;
    }
    __syncthreads();
    if (warp) v += warps[warp - 1];
    if (g < n) out[g] = v;
}
