"""Triton's kernels of the benchmarks: `python triton_kernels.py` writes triton_add.ptx and triton_softmax.ptx (Triton 3.9.0)."""
import triton, triton.language as tl
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

@triton.jit
def triton_add(x, y, out, n, B: tl.constexpr):
    i = tl.program_id(0) * B + tl.arange(0, B)
    m = i < n
    tl.store(out + i, tl.load(x + i, mask=m) + tl.load(y + i, mask=m), mask=m)

@triton.jit
def triton_softmax(out, x, n, B: tl.constexpr):
    r = tl.program_id(0)
    c = tl.arange(0, B)
    v = tl.load(x + r * n + c, mask=c < n, other=-float("inf"))
    e = tl.exp(v - tl.max(v, axis=0))
    tl.store(out + r * n + c, e / tl.sum(e, axis=0), mask=c < n)

def write(kernel, signature):
    source = ASTSource(fn=kernel, signature=signature | {"B": "constexpr"}, constexprs={"B": 1024})
    compiled = triton.compile(source, target=GPUTarget("cuda", 80, 32))
    with open(f"{kernel.__name__}.ptx", "w") as file:
        file.write(compiled.asm["ptx"])

write(triton_add, {"x": "*fp32", "y": "*fp32", "out": "*fp32", "n": "i32"})
write(triton_softmax, {"out": "*fp32", "x": "*fp32", "n": "i32"})
