extern "C" __global__ void collatz(int* out, int n){
  int i=blockIdx.x*blockDim.x+threadIdx.x; if(i>=n) return;
  long long v=i+1; int steps=0;
  while(v!=1){ v=(v&1)?3*v+1:v/2; steps++; }
  out[i]=steps; }
// Points in a quarter circle, by each thread's own generator.
extern "C" __global__ void xorshift_pi(unsigned* out, int rounds){
  unsigned i=blockIdx.x*blockDim.x+threadIdx.x, s=i*2654435761u+1u, hits=0;
  for(int r=0;r<rounds;r++){
    s^=s<<13; s^=s>>17; s^=s<<5; float x=(s>>8)*(1.0f/16777216.0f);
    s^=s<<13; s^=s>>17; s^=s<<5; float y=(s>>8)*(1.0f/16777216.0f);
    hits+=x*x+y*y<1.0f; }
  out[i]=hits; }
