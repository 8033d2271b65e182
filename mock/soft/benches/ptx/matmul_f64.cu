extern "C" __global__ void matmul_f64(const double* a, const double* b, double* c, int n){
  __shared__ double s[16][16], t[16][16];
  int x=threadIdx.x, y=threadIdx.y, col=blockIdx.x*16+x, row=blockIdx.y*16+y;
  double sum=0;
  for(int k=0;k<n;k+=16){
    s[y][x]=a[row*n+k+x]; t[y][x]=b[(k+y)*n+col]; __syncthreads();
    for(int i=0;i<16;i++) sum+=s[y][i]*t[i][x];
    __syncthreads(); }
  c[row*n+col]=sum; }
