// What one finds in other people's programs: ciphers, long numbers, dates, bit fields, networks that sort, scans by segments.
#define QUARTER(a, b, c, d)                                                                                    \
    a += b; d = turn(d ^ a, 16); c += d; b = turn(b ^ c, 12); a += b; d = turn(d ^ a, 8); c += d; b = turn(b ^ c, 7);

__device__ __forceinline__ unsigned turn(unsigned x, int n) { return __funnelshift_l(x, x, n); }

// One block of ChaCha20 per thread, its number the thread's.
extern "C" __global__ void chacha(const unsigned *key, const unsigned *nonce, unsigned *out) {
    unsigned s[16] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574}, x[16];
    for (int i = 0; i < 8; i++) s[4 + i] = key[i];
    s[12] = threadIdx.x + 1;
    for (int i = 0; i < 3; i++) s[13 + i] = nonce[i];
    for (int i = 0; i < 16; i++) x[i] = s[i];
    for (int i = 0; i < 10; i++) {
        QUARTER(x[0], x[4], x[8], x[12]) QUARTER(x[1], x[5], x[9], x[13])
        QUARTER(x[2], x[6], x[10], x[14]) QUARTER(x[3], x[7], x[11], x[15])
        QUARTER(x[0], x[5], x[10], x[15]) QUARTER(x[1], x[6], x[11], x[12])
        QUARTER(x[2], x[7], x[8], x[13]) QUARTER(x[3], x[4], x[9], x[14])
    }
    for (int i = 0; i < 16; i++) out[threadIdx.x * 16 + i] = x[i] + s[i];
}

// 128 × 128 bits, in words.
extern "C" __global__ void product(const unsigned *a, const unsigned *b, unsigned *out) {
    int t = threadIdx.x;
    unsigned r[8] = {};
    for (int i = 0; i < 4; i++) {
        unsigned long long carry = 0;
        for (int j = 0; j < 4; j++) {
            carry += (unsigned long long)a[t * 4 + i] * b[t * 4 + j] + r[i + j];
            r[i + j] = (unsigned)carry;
            carry >>= 32;
        }
        r[i + 4] = (unsigned)carry;
    }
    for (int i = 0; i < 8; i++) out[t * 8 + i] = r[i];
}

// Days since 1970 to year, month, day.
extern "C" __global__ void calendar(const int *days, int *out) {
    int t = threadIdx.x, z = days[t] + 719468, era = (z >= 0 ? z : z - 146096) / 146097;
    unsigned day = (unsigned)(z - era * 146097);
    unsigned year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
    unsigned of_year = day - (365 * year + year / 4 - year / 100), month = (5 * of_year + 2) / 153;
    out[3 * t] = (int)year + era * 400 + (month >= 10);
    out[3 * t + 1] = month < 10 ? month + 3 : month - 9;
    out[3 * t + 2] = of_year - (153 * month + 2) / 5 + 1;
}

struct Fields { unsigned a : 3, b : 7; int c : 9; unsigned d : 13; };
union Word { unsigned all; Fields f; unsigned char bytes[4]; };

extern "C" __global__ void fields(const unsigned *in, unsigned *out) {
    Word w;
    w.all = in[threadIdx.x];
    w.f.a += 3;
    w.f.c = -w.f.c;
    w.f.b ^= w.f.d;
    out[2 * threadIdx.x] = w.all;
    w.bytes[2] = w.bytes[0] + w.f.c;
    out[2 * threadIdx.x + 1] = w.all;
}

__device__ void order(long long &a, long long &b) {
    if (a > b) { long long t = a; a = b; b = t; }
}

// Eight numbers per thread through a network.
extern "C" __global__ void network(long long *data) {
    long long v[8];
    for (int i = 0; i < 8; i++) v[i] = data[threadIdx.x * 8 + i];
#pragma unroll
    for (int round = 0; round < 8; round++)
#pragma unroll
        for (int i = round & 1; i + 1 < 8; i += 2) order(v[i], v[i + 1]);
    for (int i = 0; i < 8; i++) data[threadIdx.x * 8 + i] = v[i];
}

// Running sums that begin anew at every head.
extern "C" __global__ void segments(const int *in, const int *heads, int *out) {
    int t = threadIdx.x, lane = t & 31, v = in[t];
    unsigned starts = __ballot_sync(~0u, heads[t]) | 1;
    int start = 31 - __clz(starts & (0xffffffffu >> (31 - lane)));
    for (int d = 1; d < 32; d *= 2) {
        int left = __shfl_up_sync(~0u, v, d);
        if (lane - d >= start) v += left;
    }
    out[t] = v;
}

// A double in one word by compare and swap, and the largest float by integer tricks.
extern "C" __global__ void swapped(const double *in, unsigned long long *word, int *largest) {
    unsigned long long seen = *word, was;
    do {
        was = seen;
        seen = atomicCAS(word, was, (unsigned long long)__double_as_longlong(__longlong_as_double(was) + in[threadIdx.x]));
    } while (seen != was);
    float f = (float)in[threadIdx.x];
    if (f >= 0) atomicMax(largest, __float_as_int(f));
    else atomicMin((unsigned *)largest, __float_as_uint(f));
}

// A path from the start by dynamic programming, waiting at every step.
extern "C" __global__ void cheapest(const int *wall, int *best, int rows) {
    __shared__ int before[64];
    int t = threadIdx.x, now = 0;
    before[t] = 0;
    __syncthreads();
    for (int i = 0; i < rows; i++) {
        now = wall[i * 64 + t] + min(min(before[max(t - 1, 0)], before[t]), before[min(t + 1, 63)]);
        __syncthreads();
        before[t] = now;
        __syncthreads();
    }
    best[t] = now;
}
