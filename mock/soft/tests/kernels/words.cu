// Integers: 64 and 128 bits, bits one by one, tables of jumps.
typedef unsigned long long u64;

extern "C" __global__ void division(const long long* a, const long long* b, long long* out, int n)
{
    int g = blockIdx.x * blockDim.x + threadIdx.x;
    if (g >= n) return;
    out[4 * g] = a[g] / b[g];
    out[4 * g + 1] = a[g] % b[g];
    out[4 * g + 2] = (u64)a[g] / (u64)b[g] ^ (u64)a[g] % (u64)b[g];
    out[4 * g + 3] = __mul64hi(a[g], b[g]) ^ __umul64hi(a[g], b[g]);
}

extern "C" __global__ void wide(const u64* a, const u64* b, u64* out, int n)
{
    int g = blockIdx.x * blockDim.x + threadIdx.x;
    if (g >= n) return;
    unsigned __int128 x = (unsigned __int128)a[g] << 64 | b[g], y = (unsigned __int128)b[g] << 32 | (a[g] | 1);
    unsigned __int128 results[4] = {x * y + x - y, (x >> (a[g] & 127)) ^ (y << (b[g] & 127)), x / y, x % y};
    for (int i = 0; i < 4; i++) { out[8 * g + 2 * i] = (u64)results[i]; out[8 * g + 2 * i + 1] = results[i] >> 64; }
}

extern "C" __global__ void bits(const unsigned* a, unsigned* out, int n)
{
    int g = blockIdx.x * blockDim.x + threadIdx.x;
    if (g >= n) return;
    unsigned x = a[g], y = a[(g + 1) % n], z = a[(g + 2) % n], *o = out + g * 12;
    o[0] = __popc(x); o[1] = __clz(x); o[2] = __ffs(x); o[3] = __brev(x);
    o[4] = __byte_perm(x, y, z & 0x7777); o[5] = __funnelshift_l(x, y, z); o[6] = __funnelshift_rc(x, y, z & 63);
    o[7] = __mulhi((int)x, (int)y); o[8] = __usad(x, y, z); o[9] = __rhadd(x, y);
    o[10] = __popcll((u64)x << 32 | y) + 100 * __clzll((u64)z << 7); o[11] = x / 7 + y % 10 + (int)z / 3;
}

extern "C" __global__ void jumps(const int* in, int* out, int n)
{
    int g = blockIdx.x * blockDim.x + threadIdx.x;
    if (g >= n) return;
    unsigned x = in[g], r = 0;
    for (int i = 0; i < 8; i++) {
        switch (x & 7) {
            case 0: r += x; break;
            case 1: r ^= x * 3; break;
            case 2: r -= 7; break;
            case 3: r *= 5;
            case 4: r += 1; break;
            case 5: r = ~r; break;
            case 6: if (r & 1) goto done; r |= 8; break;
            default: continue;
        }
        x = (x >> 1) + r;
    }
done:
    out[g] = r;
}

extern "C" __global__ void crc(const unsigned char* in, unsigned* out, int length, int n)
{
    int g = blockIdx.x * blockDim.x + threadIdx.x;
    if (g >= n) return;
    unsigned c = ~0u;
    for (int i = 0; i < length; i++) {
        c ^= in[g * length + i];
        for (int k = 0; k < 8; k++) c = (c >> 1) ^ (0xEDB88320u & -(c & 1));
    }
    out[g] = ~c;
}
