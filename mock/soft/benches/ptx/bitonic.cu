// One exchange of a bitonic sort; the host launches it for each k and j.
extern "C" __global__ void bitonic(unsigned* d, int j, int k){
  unsigned i=blockIdx.x*blockDim.x+threadIdx.x, p=i^j;
  if(p>i){ unsigned a=d[i], b=d[p];
    if(((i&k)==0)==(a>b)){ d[i]=b; d[p]=a; } } }
