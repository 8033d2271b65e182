// Lanes that talk to each other, in whole warps and in parts of them.
extern "C" __global__ void talk(const int* a, unsigned* out)
{
    int t = threadIdx.x, lane = t & 31, v = a[t], all;
    unsigned *o = out + t * 10;
    o[0] = __shfl_sync(~0u, v, lane * 5 + 3 & 31);
    o[1] = __shfl_up_sync(~0u, v, 2, 16);
    o[2] = __shfl_down_sync(~0u, v, 7);
    o[3] = __shfl_xor_sync(~0u, v, 13);
    o[4] = __ballot_sync(~0u, v & 1);
    o[5] = __match_any_sync(~0u, v & 3);
    o[6] = __match_all_sync(~0u, v >> 31, &all);
    o[7] = all;
    if (lane & 1) o[8] = __ballot_sync(0xaaaaaaaa, v & 2);
    else o[8] = __shfl_sync(0x55555555, v, lane * 3 & 30);
    __syncwarp();
    o[9] = __popc(__activemask());
}

extern "C" __global__ void gather(const int* a, int* out, int* count, int n)
{
    int g = blockIdx.x * blockDim.x + threadIdx.x, lane = threadIdx.x & 31, base = 0;
    bool kept = g < n && a[g] > 0;
    unsigned who = __ballot_sync(~0u, kept);
    if (lane == 0) base = atomicAdd(count, __popc(who));
    base = __shfl_sync(~0u, base, 0);
    if (kept) out[base + __popc(who & ((1u << lane) - 1))] = a[g];
}

extern "C" __global__ void votes(const int* a, int* out)
{
    int t = threadIdx.x;
    out[t] = __syncthreads_count(a[t] & 1) * 4 + __syncthreads_and(a[t] > -5) * 2 + __syncthreads_or(a[t] == 77);
}

extern "C" __global__ void last(const int* a, int* parts, unsigned* ticket, int* out, int n)
{
    __shared__ int s[64];
    __shared__ bool is_last;
    int t = threadIdx.x, v = 0;
    for (int i = blockIdx.x * 64 + t; i < n; i += gridDim.x * 64) v += a[i];
    s[t] = v;
    __syncthreads();
    for (int k = 32; k; k >>= 1) { if (t < k) s[t] += s[t + k]; __syncthreads(); }
    if (t == 0) {
        parts[blockIdx.x] = s[0];
        __threadfence();
        is_last = atomicInc(ticket, gridDim.x) == gridDim.x - 1;
    }
    __syncthreads();
    if (is_last && t == 0) {
        int sum = 0;
        for (int i = 0; i < gridDim.x; i++) sum += ((volatile int*)parts)[i];
        *out = sum;
    }
}
