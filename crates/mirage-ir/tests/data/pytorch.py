"""Writes pytorch.toml: what PyTorch gives for operations of the graph, in float64.

    python pytorch.py > pytorch.toml

Each case is an operation with its attributes, its inputs, and what PyTorch gives for them.
"""

import math

import torch
import torch.nn.functional as F

DTYPES = {
    torch.float64: "f64", torch.float32: "f32", torch.float16: "f16", torch.bfloat16: "bf16",
    torch.int64: "i64", torch.int32: "i32", torch.int16: "i16", torch.int8: "i8", torch.uint8: "u8", torch.bool: "bool",
}


def number(x):
    if isinstance(x, bool):
        return "true" if x else "false"
    if isinstance(x, float):
        return "nan" if math.isnan(x) else repr(x)
    return str(x)


def tensor(t):
    values = ", ".join(number(v) for v in t.flatten().tolist())
    return f'{{ type = "{DTYPES[t.dtype]}{list(t.shape)}", values = [{values}] }}'.replace("[, ", "[")


def value(v):
    if isinstance(v, str):
        return f'"{v}"'
    if isinstance(v, (list, tuple)):
        return "[" + ", ".join(value(x) for x in v) + "]"
    return number(v)


def case(op, inputs, expected, **attrs):
    print("[[case]]")
    print(f'op = "{op}"')
    print("attrs = { " + ", ".join(f"{k} = {value(v)}" for k, v in attrs.items()) + " }")
    print("inputs = [\n" + "".join(f"  {tensor(t)},\n" for t in inputs) + "]")
    print(f"expected = {tensor(expected)}\n")


seed = 0


def rand(*shape, low=-2.0, high=2.0):
    """Uniform, in thousandths, so that the numbers are short and exact."""
    global seed
    seed += 1
    g = torch.Generator().manual_seed(seed)
    n = torch.randint(int(low * 1000), int(high * 1000) + 1, shape, generator=g)
    return n.double() / 1000


def ints(*shape, low=-9, high=9, dtype=torch.int64):
    global seed
    seed += 1
    return torch.randint(low, high + 1, shape, generator=torch.Generator().manual_seed(seed)).to(dtype)


def convolutions():
    conv = [F.conv1d, F.conv2d, F.conv3d]
    transposed = [F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d]
    for x, w, bias, stride, padding, dilation, groups in [
        ((1, 2, 7), (3, 2, 3), True, [2], [1], [2], 1),
        ((2, 4, 5), (4, 2, 2), False, [1], [0], [1], 2),
        ((1, 2, 5, 4), (3, 2, 3, 2), True, [1, 2], [1, 0], [1, 2], 1),
        ((2, 4, 3, 4), (6, 2, 2, 3), True, [1, 1], [0, 1], [1, 1], 2),
        ((1, 3, 4, 4), (3, 1, 3, 3), False, [2, 1], [2, 1], [1, 1], 3),
        ((1, 2, 3, 3, 2), (2, 2, 2, 1, 2), True, [1, 2, 1], [1, 0, 1], [1, 1, 2], 1),
    ]:
        xs = [rand(*x), rand(*w)] + ([rand(w[0])] if bias else [])
        f = conv[len(x) - 3]
        y = f(xs[0], xs[1], xs[2] if bias else None, stride, padding, dilation, groups)
        case("conv", xs, y, stride=stride, padding=padding, dilation=dilation, groups=groups)
    for x, w, bias, stride, padding, output_padding, dilation, groups in [
        ((1, 2, 4), (2, 3, 3), True, [2], [1], [1], [1], 1),
        ((1, 2, 3, 2), (2, 2, 3, 2), True, [2, 1], [1, 0], [1, 0], [1, 2], 1),
        ((2, 4, 2, 3), (4, 1, 2, 2), False, [1, 2], [0, 1], [0, 1], [1, 1], 2),
        ((1, 2, 2, 1, 3), (2, 1, 2, 2, 1), True, [1, 2, 2], [0, 0, 0], [0, 1, 1], [2, 1, 1], 2),
    ]:
        xs = [rand(*x), rand(*w)] + ([rand(w[1] * groups)] if bias else [])
        f = transposed[len(x) - 3]
        y = f(xs[0], xs[1], xs[2] if bias else None, stride, padding, output_padding, groups, dilation)
        case("conv_transpose", xs, y, stride=stride, padding=padding, output_padding=output_padding,
             dilation=dilation, groups=groups)


def pools():
    max_pool = [F.max_pool1d, F.max_pool2d, F.max_pool3d]
    avg_pool = [F.avg_pool1d, F.avg_pool2d, F.avg_pool3d]
    for x, kernel, stride, padding, dilation, ceil in [
        ((1, 2, 7), [3], [2], [1], [1], False),
        ((1, 2, 6, 5), [2, 3], [3, 2], [1, 1], [1, 1], True),
        ((1, 1, 6, 7), [2, 2], [2, 3], [0, 0], [2, 1], True),
        ((1, 1, 3, 4, 3), [2, 2, 3], [2, 1, 2], [0, 1, 1], [1, 1, 1], True),
    ]:
        t = rand(*x)
        y = max_pool[len(x) - 3](t, kernel, stride, padding, dilation, ceil)
        case("max_pool", [t], y, kernel=kernel, stride=stride, padding=padding, dilation=dilation, ceil_mode=ceil)
    for x, kernel, stride, padding, ceil in [
        ((1, 2, 7), [3], [2], [1], False),
        ((1, 2, 6), [4], [3], [2], True),
        ((1, 1, 6, 5), [3, 2], [2, 3], [1, 1], True),
        ((1, 1, 3, 4, 5), [2, 3, 3], [2, 2, 2], [1, 1, 1], True),
    ]:
        for include in [True, False]:
            t = rand(*x)
            y = avg_pool[len(x) - 3](t, kernel, stride, padding, ceil, include)
            case("avg_pool", [t], y, kernel=kernel, stride=stride, padding=padding,
                 count_include_pad=include, ceil_mode=ceil)
    for x, size, f in [
        ((1, 2, 7), [3], F.adaptive_avg_pool1d),
        ((1, 2, 5, 4), [3, 6], F.adaptive_avg_pool2d),
        ((1, 1, 3, 4, 5), [2, 3, 1], F.adaptive_avg_pool3d),
    ]:
        t = rand(*x)
        case("adaptive_avg_pool", [t], f(t, size), size=size)


def resizes():
    for size in [[5, 7], [2, 3], [1, 1], [4, 9]]:
        x = rand(1, 1, 4, 5)
        for mode, name in [("nearest", "nearest"), ("nearest-exact", "nearest_exact")]:
            case("resize", [x], F.interpolate(x, size, mode=mode), size=size, mode=name, align_corners=False)
        for mode in ["bilinear", "bicubic"]:
            for align in [False, True]:
                y = F.interpolate(x, size, mode=mode, align_corners=align)
                case("resize", [x], y, size=size, mode=mode, align_corners=align)


def samples():
    for shape in [(2, 2, 4, 5), (1, 1, 1, 3), (1, 1, 2, 1)]:
        x = rand(*shape)
        # Places in the picture and outside, and at the centres, edges and corners of elements.
        grid = torch.cat([rand(shape[0], 2, 3, 2, low=-2.5, high=2.5), ints(shape[0], 2, 3, 2, low=-2, high=2) / 2.0], 1)
        for mode in ["bilinear", "nearest"]:
            for padding in ["border", "reflection", "zeros"]:
                for align in [False, True]:
                    y = F.grid_sample(x, grid, mode=mode, padding_mode=padding, align_corners=align)
                    case("grid_sample", [x, grid], y, mode=mode, padding=padding, align_corners=align)


def attentions():
    for b, h, m, n, d, e, mask, bias, causal, scale, softcap in [
        (1, 1, 3, 4, 2, 2, None, None, False, None, None),
        (2, 2, 3, 3, 2, 3, (2, 1, 3, 3), None, False, 0.7, None),
        (1, 2, 2, 4, 3, 2, None, (1, 2, 2, 4), True, None, None),
        (1, 1, 3, 5, 2, 1, (1, 1, 1, 5), (1, 1, 3, 1), True, None, 1.5),
        (1, 1, 4, 2, 2, 2, None, None, True, None, None),
    ]:
        q, k, v = rand(b, h, m, d), rand(b, h, n, d), rand(b, h, n, e)
        scores = q @ k.transpose(2, 3) * (scale or 1 / math.sqrt(d))
        if softcap:
            scores = softcap * torch.tanh(scores / softcap)
        inputs, attrs = [q, k, v], {}
        out = torch.zeros(b, h, m, n, dtype=torch.bool)
        if mask:
            inputs.append(ints(*mask, low=0, high=1).bool() & (torch.arange(n) > 0))
            out = out | inputs[-1]
            attrs["mask"] = True
        if bias:
            inputs.append(rand(*bias))
            scores = scores + inputs[-1]
            attrs["bias"] = True
        if causal:
            # Aligned at the end: the last query sees every key.
            out = out | ~torch.ones(m, n, dtype=torch.bool).tril(n - m)
            attrs["causal"] = True
        if scale:
            attrs["scale"] = scale
        if softcap:
            attrs["softcap"] = softcap
        # As PyTorch's own attention has it: a query whose keys are all left out gives 0.
        y = scores.masked_fill(out, -math.inf).softmax(-1).masked_fill(out.all(-1, keepdim=True), 0.0) @ v
        if not (softcap or causal):
            keep = ~out
            sdpa = F.scaled_dot_product_attention(q, k, v, attn_mask=keep, scale=scale)
            assert torch.allclose(y, sdpa, rtol=1e-12)
        case("attention", inputs, y, **attrs)


def normalizations():
    x, gamma, beta = rand(2, 6, 2, 3), rand(6), rand(6)
    case("group_norm", [x, gamma, beta], F.group_norm(x, 3, gamma, beta, 1e-3), groups=3, eps=1e-3)
    case("group_norm", [x], F.group_norm(x, 2, eps=0.1), groups=2, eps=0.1)
    mean, variance = rand(6), rand(6, low=0.1)
    y = F.batch_norm(x, mean, variance, gamma, beta, False, 0.0, 1e-5)
    case("batch_norm", [x, gamma, beta, mean, variance], y, eps=1e-5)
    x, gamma, beta = rand(2, 3, 5), rand(5), rand(5)
    case("layer_norm", [x, gamma, beta], F.layer_norm(x, [5], gamma, beta, 1e-5), eps=1e-5)
    case("layer_norm", [x, gamma], F.layer_norm(x, [5], gamma, None, 1e-5), eps=1e-5)
    for dim in range(3):
        case("softmax", [x * 100], (x * 100).softmax(dim), dim=dim)


UNARY = {
    "abs": torch.abs, "acos": torch.acos, "asin": torch.asin, "atan": torch.atan, "ceil": torch.ceil,
    "cos": torch.cos, "cosh": torch.cosh, "erf": torch.erf, "exp": torch.exp, "floor": torch.floor,
    "gelu": F.gelu, "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"), "is_inf": torch.isinf,
    "is_nan": torch.isnan, "log": torch.log, "log1p": torch.log1p, "neg": torch.neg,
    "recip": torch.reciprocal, "relu": F.relu, "round": torch.round, "rsqrt": torch.rsqrt,
    "sigmoid": torch.sigmoid, "sign": torch.sign, "silu": F.silu, "sin": torch.sin, "sinh": torch.sinh,
    "sqrt": torch.sqrt, "square": torch.square, "tan": torch.tan, "tanh": torch.tanh, "trunc": torch.trunc,
}


def elementwise():
    special = [0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 0.0, 1.0, -1.0, 3.7, -7.3, 20.0, -20.0, math.inf, -math.inf, math.nan]
    x = torch.tensor(special, dtype=torch.float64)
    for name, f in UNARY.items():
        case(name, [x], f(x))
    a = torch.tensor([5.5, -5.5, 5.5, -5.5, 6.0, -6.0, 0.0, 1.0, math.nan, 2.0], dtype=torch.float64)
    b = torch.tensor([2.0, 2.0, -2.0, -2.0, 3.0, 3.0, -3.0, math.nan, 1.0, 0.0], dtype=torch.float64)
    binary = {
        "add": torch.add, "sub": torch.sub, "mul": torch.mul, "div": torch.div, "rem": torch.remainder,
        "pow": torch.pow, "max": torch.maximum, "min": torch.minimum, "eq": torch.eq, "ne": torch.ne,
        "lt": torch.lt, "le": torch.le, "gt": torch.gt, "ge": torch.ge,
    }
    for name, f in binary.items():
        case(name, [a, b], f(a, b))
        case(name + "_scalar", [a], f(a, torch.tensor(2.0, dtype=torch.float64)), value=2.0)
    del binary["pow"]
    binary["div"] = lambda a, b: torch.div(a, b, rounding_mode="trunc")
    for dtype in [torch.int64, torch.int8, torch.uint8]:
        low, high = (0, 255) if dtype == torch.uint8 else (-128, 127)
        a, b = ints(2, 4, low=low, high=high, dtype=dtype), ints(2, 1, low=1, high=9, dtype=dtype)
        b = b if dtype == torch.uint8 else b * torch.tensor([[1], [-1]], dtype=dtype)
        for name, f in binary.items():
            case(name, [a, b], f(a, b))
    a = torch.tensor([True, True, False, False])
    b = torch.tensor([True, False, True, False])
    for name, f in {"and": torch.logical_and, "or": torch.logical_or, "xor": torch.logical_xor,
                    "eq": torch.eq, "ne": torch.ne}.items():
        case(name, [a, b], f(a, b))
    case("not", [a], ~a)
    for name in ["abs", "neg", "sign", "square"]:
        x = torch.tensor([-128, -100, -1, 0, 1, 127], dtype=torch.int8)
        case(name, [x], UNARY[name](x))
    condition, x, y = ints(2, 1, 3, low=0, high=1).bool(), rand(1, 2, 3), rand(2, 2, 1)
    case("select", [condition, x, y], torch.where(condition, x, y))


def casts():
    x = torch.tensor([0.1, -0.1, 1 / 3, 2049.0, 2051.0, 65504.0, 65519.0, 65520.0, 1e-8, 6e-8, 3.1e-5,
                      1.00390625, 1.01171875, 1e39, -1e39, math.inf, math.nan], dtype=torch.float64)
    for dtype in [torch.float64, torch.float32, torch.float16, torch.bfloat16]:
        case("cast", [x], x.to(torch.float32).to(dtype) if dtype != torch.float64 else x, dtype=DTYPES[dtype])
    x = torch.tensor([0.0, -0.9, 0.9, -1.5, 100.7], dtype=torch.float64)
    for dtype in [torch.int64, torch.int32, torch.int8, torch.bool]:
        case("cast", [x], x.to(dtype), dtype=DTYPES[dtype])
    x = torch.tensor([0, 1, -1, 127, 128, 255, 256, 32768, 2**31, -(2**40) - 1])
    for dtype in [torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool, torch.float32]:
        case("cast", [x], x.to(dtype), dtype=DTYPES[dtype])


def reductions():
    x = rand(2, 3, 4)
    for dims in [[0], [1], [2], [0, 2], [0, 1, 2]]:
        case("reduce_sum", [x], x.sum(dims, keepdim=True), dims=dims)
        case("reduce_mean", [x], x.mean(dims, keepdim=True), dims=dims)
        case("reduce_max", [x], x.amax(dims, keepdim=True), dims=dims)
        case("reduce_min", [x], x.amin(dims, keepdim=True), dims=dims)
    case("reduce_prod", [x], x.prod(1, keepdim=True), dims=[1])
    n = ints(3, 4, low=-100, high=100, dtype=torch.int8)
    case("reduce_sum", [n], n.sum(1, keepdim=True, dtype=torch.int8), dims=[1])
    case("reduce_prod", [n], n.prod(0, keepdim=True, dtype=torch.int8), dims=[0])
    case("reduce_max", [n], n.amax(0, keepdim=True), dims=[0])
    case("reduce_min", [n], n.amin(1, keepdim=True), dims=[1])
    b = ints(3, 4, low=0, high=1).bool()
    case("reduce_any", [b], b.any(1, keepdim=True), dims=[1])
    case("reduce_all", [b], b.all(0, keepdim=True), dims=[0])
    ties = torch.tensor([[1.0, 3.0, 3.0], [2.0, 2.0, 5.0], [1.0, math.nan, 7.0]], dtype=torch.float64)
    for dim in [0, 1]:
        for t in [ties, n]:
            case("arg_max", [t], t.argmax(dim, keepdim=True), dim=dim, dtype="i64")
            case("arg_min", [t], t.argmin(dim, keepdim=True), dim=dim, dtype="i64")


def products():
    for a, b in [((2, 3), (3, 4)), ((2, 1, 2, 3), (1, 3, 3, 2)), ((2, 2, 1), (1, 1, 3))]:
        x, y = rand(*a), rand(*b)
        case("matmul", [x, y], x @ y)
    x, y = ints(2, 3, low=-100, high=100, dtype=torch.int8), ints(3, 2, low=-100, high=100, dtype=torch.int8)
    case("matmul", [x, y], (x.long() @ y.long()).to(torch.int8))
    x, w, b = rand(2, 3, 4), rand(4, 5), rand(5)
    case("linear", [x, w, b], F.linear(x, w.T, b))
    case("linear", [x, w], F.linear(x, w.T))


def rearrangements():
    x = rand(2, 3, 4)
    case("reshape", [x], x.reshape(4, 6), shape=[4, 6])
    case("permute", [x], x.permute(2, 0, 1), axes=[2, 0, 1])
    case("expand", [x[:, :1]], x[:, :1].expand(2, 5, 4), shape=[2, 5, 4])
    case("slice", [x], x[0:2:2, 1:3, 0:4:3], start=[0, 1, 0], end=[2, 3, 4], step=[2, 1, 3])
    y = rand(2, 2, 4)
    case("concat", [x, y, x], torch.cat([x, y, x], 1), dim=1)
    case("flip", [x], x.flip([0, 2]), dims=[0, 2])
    p = rand(1, 1, 3, 4)
    for mode, name in [("reflect", "reflect"), ("replicate", "edge")]:
        case("pad", [p], F.pad(p, (2, 3, 1, 2), mode), before=[0, 0, 1, 2], after=[0, 0, 2, 3], mode=name)
    y = F.pad(x, (2, 1, 0, 2, 1, 0), "constant", 0.5)
    case("pad", [x], y, before=[1, 0, 2], after=[0, 2, 1], mode="constant", value=0.5)


def lookups():
    table, i = rand(5, 3), ints(2, 4, low=0, high=4)
    case("embedding", [table, i], F.embedding(i, table))
    x = rand(2, 3, 4)
    for dim, shape in [(0, (3, 2, 4)), (1, (2, 5, 3)), (2, (2, 3, 2))]:
        i = ints(*shape, low=0, high=x.shape[dim] - 1)
        case("gather", [x, i], x.gather(dim, i), dim=dim)
        i = ints(4, low=0, high=x.shape[dim] - 1)
        case("index_select", [x, i], x.index_select(dim, i), dim=dim)


print("# What PyTorch gives, in float64. Written by pytorch.py; do not edit.")
print(f"# torch {torch.__version__.split('+')[0]}\n")
for group in [convolutions, pools, resizes, attentions, normalizations, elementwise, casts, reductions,
              products, rearrangements, lookups, samples]:
    group()
