// Blelloch: each block leaves the exclusive sums of its 512 numbers, and their total.
extern "C" __global__ void scan(const int* in, int* out, int* totals){
  __shared__ int s[512]; int t=threadIdx.x, base=blockIdx.x*512, step=1;
  s[2*t]=in[base+2*t]; s[2*t+1]=in[base+2*t+1];
  for(int d=256;d>0;d>>=1){ __syncthreads();
    if(t<d){ int a=step*(2*t+1)-1, b=step*(2*t+2)-1; s[b]+=s[a]; }
    step*=2; }
  if(t==0){ totals[blockIdx.x]=s[511]; s[511]=0; }
  for(int d=1;d<512;d*=2){ step>>=1; __syncthreads();
    if(t<d){ int a=step*(2*t+1)-1, b=step*(2*t+2)-1, v=s[a]; s[a]=s[b]; s[b]+=v; } }
  __syncthreads();
  out[base+2*t]=s[2*t]; out[base+2*t+1]=s[2*t+1]; }
// The same by shuffles: inclusive sums of 256 numbers a block.
extern "C" __global__ void scan_warp(const int* in, int* out){
  __shared__ int w[8]; int t=threadIdx.x, lane=t&31, i=blockIdx.x*256+t, v=in[i];
  for(int o=1;o<32;o*=2){ int u=__shfl_up_sync(0xffffffffu,v,o); if(lane>=o) v+=u; }
  if(lane==31) w[t>>5]=v;
  __syncthreads();
  if(t<8){ int u=w[t]; for(int o=1;o<8;o*=2){ int p=__shfl_up_sync(0xffu,u,o); if(t>=o) u+=p; } w[t]=u; }
  __syncthreads();
  if(t>=32) v+=w[(t>>5)-1];
  out[i]=v; }
