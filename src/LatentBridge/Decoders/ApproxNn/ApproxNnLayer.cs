using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using LatentBridge.Tensors;

namespace LatentBridge.Decoders.ApproxNn;

/// <summary>
/// A convolution without padding ("valid"), bias and LeakyReLU of slope 0.1, one row of the picture at a time.
/// </summary>
/// <remarks>
/// Rows are planar, [channel][x]. Lane = x, so weights are broadcast and any number of channels fits any vector. Eight
/// outputs go together; with 32 registers (512 bits) two vectors of x as well, which uses each broadcast twice.
/// Packed weights: for every eight outputs their biases, then [input][ky][kx][8]; missing outputs are zeros.
/// </remarks>
sealed class ApproxNnLayer
{
    /// <summary>Outputs computed together.</summary>
    public const int Group = 8;

    const float Slope = 0.1f;

    readonly float[] _packed;

    /// <summary>Packs weights [outputs, inputs, kernel, kernel] and biases.</summary>
    public ApproxNnLayer(int kernel, float[] weights, float[] biases)
    {
        Kernel = kernel;
        Outputs = biases.Length;
        PaddedOutputs = (Outputs + Group - 1) / Group * Group;
        Inputs = weights.Length / (Outputs * kernel * kernel);
        int taps = Inputs * kernel * kernel;
        _packed = new float[PaddedOutputs * (taps + 1)];
        for (int o = 0; o < Outputs; o++)
        {
            Span<float> group = _packed.AsSpan(o / Group * Group * (taps + 1));
            group[o % Group] = biases[o];
            for (int t = 0; t < taps; t++)
            {
                group[(t + 1) * Group + o % Group] = weights[o * taps + t];
            }
        }
    }

    /// <summary>Side of the kernel.</summary>
    public int Kernel { get; }

    public int Inputs { get; }

    public int Outputs { get; }

    /// <summary>Outputs with the zeros that fill the last group.</summary>
    public int PaddedOutputs { get; }

    public int PackedLength => _packed.Length;

    /// <summary>Computes one row.</summary>
    /// <param name="input">A ring of <see cref="Kernel"/> rows of <see cref="Inputs"/> planes.</param>
    /// <param name="first">Which row of the ring is the uppermost.</param>
    /// <param name="output">A row of <see cref="PaddedOutputs"/> planes.</param>
    /// <param name="stride">Floats from plane to plane, in both.</param>
    /// <param name="count">Pixels wanted. Up to the next multiple of the vector more are written; input and output have room for them.</param>
    /// <param name="width">Vectors to use.</param>
    public void Row(ReadOnlySpan<float> input, int first, Span<float> output, int stride, int count, KernelWidth width)
    {
        Debug.Assert(count + Kernel - 1 <= stride && output.Length >= PaddedOutputs * stride, "room for a row");
        switch (width)
        {
            case KernelWidth.Vector512:
                Row<Lanes512, Vector512<float>>(input, first, output, stride, count);
                break;
            case KernelWidth.Vector256:
                Row<Lanes256, Vector256<float>>(input, first, output, stride, count);
                break;
            case KernelWidth.Vector128:
                Row<Lanes128, Vector128<float>>(input, first, output, stride, count);
                break;
            default:
                Row<LanesScalar, float>(input, first, output, stride, count);
                break;
        }
    }

    void Row<TLanes, TVector>(ReadOnlySpan<float> input, int first, Span<float> output, int stride, int count)
        where TLanes : struct, ILanes<TVector>
        where TVector : struct
    {
        ref float weights = ref MemoryMarshal.GetArrayDataReference(_packed);
        ref float rows = ref MemoryMarshal.GetReference(input);
        for (int o = 0; o < PaddedOutputs; o += Group)
        {
            ref float to = ref output[o * stride];
            int x = 0;
            if (TLanes.Count == 16)
            {
                for (; x < count - TLanes.Count; x += 2 * TLanes.Count)
                {
                    Block2<TLanes, TVector>(ref weights, ref Unsafe.Add(ref rows, x), first, ref Unsafe.Add(ref to, x), stride);
                }
            }

            for (; x < count; x += TLanes.Count)
            {
                Block1<TLanes, TVector>(ref weights, ref Unsafe.Add(ref rows, x), first, ref Unsafe.Add(ref to, x), stride);
            }

            weights = ref Unsafe.Add(ref weights, Group * (Inputs * Kernel * Kernel + 1));
        }
    }

    /// <summary>Eight outputs, one vector of x.</summary>
    void Block1<TLanes, TVector>(ref float weights, ref float rows, int first, ref float to, nint stride)
        where TLanes : struct, ILanes<TVector>
        where TVector : struct
    {
        TVector a0 = TLanes.Broadcast(weights), a1 = TLanes.Broadcast(Unsafe.Add(ref weights, 1)), a2 = TLanes.Broadcast(Unsafe.Add(ref weights, 2)), a3 = TLanes.Broadcast(Unsafe.Add(ref weights, 3));
        TVector a4 = TLanes.Broadcast(Unsafe.Add(ref weights, 4)), a5 = TLanes.Broadcast(Unsafe.Add(ref weights, 5)), a6 = TLanes.Broadcast(Unsafe.Add(ref weights, 6)), a7 = TLanes.Broadcast(Unsafe.Add(ref weights, 7));
        ref float w = ref Unsafe.Add(ref weights, Group);
        int kernel = Kernel;
        for (int plane = 0; plane < Inputs; plane++)
        {
            for (int ky = 0, row = first; ky < kernel; ky++, row = row + 1 == kernel ? 0 : row + 1)
            {
                ref float x = ref Unsafe.Add(ref rows, (row * Inputs + plane) * stride);
                for (int kx = 0; kx < kernel; kx++)
                {
                    TVector v = TLanes.Load(ref Unsafe.Add(ref x, kx));
                    a0 = TLanes.MultiplyAdd(v, TLanes.Broadcast(w), a0);
                    a1 = TLanes.MultiplyAdd(v, TLanes.Broadcast(Unsafe.Add(ref w, 1)), a1);
                    a2 = TLanes.MultiplyAdd(v, TLanes.Broadcast(Unsafe.Add(ref w, 2)), a2);
                    a3 = TLanes.MultiplyAdd(v, TLanes.Broadcast(Unsafe.Add(ref w, 3)), a3);
                    a4 = TLanes.MultiplyAdd(v, TLanes.Broadcast(Unsafe.Add(ref w, 4)), a4);
                    a5 = TLanes.MultiplyAdd(v, TLanes.Broadcast(Unsafe.Add(ref w, 5)), a5);
                    a6 = TLanes.MultiplyAdd(v, TLanes.Broadcast(Unsafe.Add(ref w, 6)), a6);
                    a7 = TLanes.MultiplyAdd(v, TLanes.Broadcast(Unsafe.Add(ref w, 7)), a7);
                    w = ref Unsafe.Add(ref w, Group);
                }
            }
        }

        Store<TLanes, TVector>(a0, ref to);
        Store<TLanes, TVector>(a1, ref Unsafe.Add(ref to, stride));
        Store<TLanes, TVector>(a2, ref Unsafe.Add(ref to, 2 * stride));
        Store<TLanes, TVector>(a3, ref Unsafe.Add(ref to, 3 * stride));
        Store<TLanes, TVector>(a4, ref Unsafe.Add(ref to, 4 * stride));
        Store<TLanes, TVector>(a5, ref Unsafe.Add(ref to, 5 * stride));
        Store<TLanes, TVector>(a6, ref Unsafe.Add(ref to, 6 * stride));
        Store<TLanes, TVector>(a7, ref Unsafe.Add(ref to, 7 * stride));
    }

    /// <summary>Eight outputs, two vectors of x.</summary>
    void Block2<TLanes, TVector>(ref float weights, ref float rows, int first, ref float to, nint stride)
        where TLanes : struct, ILanes<TVector>
        where TVector : struct
    {
        TVector a0 = TLanes.Broadcast(weights), a1 = TLanes.Broadcast(Unsafe.Add(ref weights, 1)), a2 = TLanes.Broadcast(Unsafe.Add(ref weights, 2)), a3 = TLanes.Broadcast(Unsafe.Add(ref weights, 3));
        TVector a4 = TLanes.Broadcast(Unsafe.Add(ref weights, 4)), a5 = TLanes.Broadcast(Unsafe.Add(ref weights, 5)), a6 = TLanes.Broadcast(Unsafe.Add(ref weights, 6)), a7 = TLanes.Broadcast(Unsafe.Add(ref weights, 7));
        TVector b0 = a0, b1 = a1, b2 = a2, b3 = a3, b4 = a4, b5 = a5, b6 = a6, b7 = a7;
        ref float w = ref Unsafe.Add(ref weights, Group);
        int kernel = Kernel;
        for (int plane = 0; plane < Inputs; plane++)
        {
            for (int ky = 0, row = first; ky < kernel; ky++, row = row + 1 == kernel ? 0 : row + 1)
            {
                ref float x = ref Unsafe.Add(ref rows, (row * Inputs + plane) * stride);
                for (int kx = 0; kx < kernel; kx++)
                {
                    TVector v = TLanes.Load(ref Unsafe.Add(ref x, kx));
                    TVector u = TLanes.Load(ref Unsafe.Add(ref x, kx + TLanes.Count));
                    Two<TLanes, TVector>(w, v, u, ref a0, ref b0);
                    Two<TLanes, TVector>(Unsafe.Add(ref w, 1), v, u, ref a1, ref b1);
                    Two<TLanes, TVector>(Unsafe.Add(ref w, 2), v, u, ref a2, ref b2);
                    Two<TLanes, TVector>(Unsafe.Add(ref w, 3), v, u, ref a3, ref b3);
                    Two<TLanes, TVector>(Unsafe.Add(ref w, 4), v, u, ref a4, ref b4);
                    Two<TLanes, TVector>(Unsafe.Add(ref w, 5), v, u, ref a5, ref b5);
                    Two<TLanes, TVector>(Unsafe.Add(ref w, 6), v, u, ref a6, ref b6);
                    Two<TLanes, TVector>(Unsafe.Add(ref w, 7), v, u, ref a7, ref b7);
                    w = ref Unsafe.Add(ref w, Group);
                }
            }
        }

        Store<TLanes, TVector>(a0, b0, ref to);
        Store<TLanes, TVector>(a1, b1, ref Unsafe.Add(ref to, stride));
        Store<TLanes, TVector>(a2, b2, ref Unsafe.Add(ref to, 2 * stride));
        Store<TLanes, TVector>(a3, b3, ref Unsafe.Add(ref to, 3 * stride));
        Store<TLanes, TVector>(a4, b4, ref Unsafe.Add(ref to, 4 * stride));
        Store<TLanes, TVector>(a5, b5, ref Unsafe.Add(ref to, 5 * stride));
        Store<TLanes, TVector>(a6, b6, ref Unsafe.Add(ref to, 6 * stride));
        Store<TLanes, TVector>(a7, b7, ref Unsafe.Add(ref to, 7 * stride));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void Two<TLanes, TVector>(float weight, TVector v, TVector u, ref TVector a, ref TVector b)
        where TLanes : struct, ILanes<TVector>
        where TVector : struct
    {
        TVector w = TLanes.Broadcast(weight);
        a = TLanes.MultiplyAdd(v, w, a);
        b = TLanes.MultiplyAdd(u, w, b);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void Store<TLanes, TVector>(TVector a, TVector b, ref float to)
        where TLanes : struct, ILanes<TVector>
        where TVector : struct
    {
        Store<TLanes, TVector>(a, ref to);
        Store<TLanes, TVector>(b, ref Unsafe.Add(ref to, TLanes.Count));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void Store<TLanes, TVector>(TVector a, ref float to)
        where TLanes : struct, ILanes<TVector>
        where TVector : struct =>
        TLanes.Store(TLanes.Max(a, TLanes.Multiply(a, TLanes.Broadcast(Slope))), ref to);
}
