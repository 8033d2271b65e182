// Sorts 16 numbers per thread by insertion, in local memory.
extern "C" __global__ void localarr(const int* in, int* out){
  int a[16]; int i=blockIdx.x*blockDim.x+threadIdx.x;
  for(int j=0;j<16;j++) a[j]=in[i*16+j];
  for(int j=1;j<16;j++){ int v=a[j], k=j-1; while(k>=0&&a[k]>v){ a[k+1]=a[k]; k--; } a[k+1]=v; }
  for(int j=0;j<16;j++) out[i*16+j]=a[j]; }
