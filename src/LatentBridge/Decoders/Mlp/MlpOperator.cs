using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using LatentBridge.Simd;

namespace LatentBridge.Decoders.Mlp;

/// <summary>
/// y = W x + b, layer after layer, SiLU after each but the last.
/// </summary>
/// <remarks>
/// Lane = cell, so every weight is broadcast. Outputs go four at a time, which uses a loaded activation four times: with four vectors of cells, 16 sums,
/// 4 loads and 4 broadcasts for 16 multiply-adds. Layers are padded with zero rows to a multiple of four, whose results are never read. The last layer
/// carries the scale to bytes.
/// </remarks>
readonly struct MlpOperator : IPixelOperator
{
    /// <summary>Floats between an activation and the next one: one for each cell that goes at a time, at most.</summary>
    const int Stride = 64;

    readonly MlpLayer[] _layers;
    readonly float[] _first;
    readonly float[] _second;
    readonly int[] _activations;

    /// <summary>Takes at least two layers. Owns room for activations, so it belongs to one decode at a time.</summary>
    public MlpOperator(MlpLayer[] layers)
    {
        int widest = layers.Max(layer => layer.Outputs + MlpLayer.Group);
        _layers = layers;
        _first = new float[Stride * widest];
        _second = new float[Stride * widest];
        _activations = [.. Enumerable.Range(0, widest).Select(unit => unit * Stride)];
    }

    /// <summary>Floats of the activations.</summary>
    public int ScratchLength => _first.Length + _second.Length;

    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    public void Invoke<TLanes, TVector>(ref readonly float cells, ReadOnlySpan<int> inputs, out TVector red, out TVector green, out TVector blue)
        where TLanes : struct, ILanes<TVector>
        where TVector : struct
    {
        ref float from = ref Unsafe.AsRef(in cells);
        ref float to = ref MemoryMarshal.GetArrayDataReference(_first);
        ref float other = ref MemoryMarshal.GetArrayDataReference(_second);
        foreach (MlpLayer layer in _layers)
        {
            ref float weights = ref MemoryMarshal.GetArrayDataReference(layer.Packed);
            for (int o = 0; o < layer.Outputs; o += MlpLayer.Group)
            {
                Sum<TLanes, TVector>(ref weights, inputs, ref from, ref Unsafe.Add(ref to, o * Stride));
                weights = ref Unsafe.Add(ref weights, (layer.Inputs + 1) * MlpLayer.Group);
            }

            inputs = _activations.AsSpan(0, layer.Outputs);
            if (layer != _layers[^1])
            {
                Silu<TLanes, TVector>(ref to, inputs);
            }

            from = ref to;
            to = ref other;
            other = ref from;
        }

        red = TLanes.Load(ref from);
        green = TLanes.Load(ref Unsafe.Add(ref from, Stride));
        blue = TLanes.Load(ref Unsafe.Add(ref from, 2 * Stride));
    }

    /// <summary>Four outputs: bias plus weights times inputs.</summary>
    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    static void Sum<TLanes, TVector>(ref float weights, ReadOnlySpan<int> inputs, ref float from, ref float to)
        where TLanes : struct, ILanes<TVector>
        where TVector : struct
    {
        TVector a = TLanes.Broadcast(weights);
        TVector b = TLanes.Broadcast(Unsafe.Add(ref weights, 1));
        TVector c = TLanes.Broadcast(Unsafe.Add(ref weights, 2));
        TVector d = TLanes.Broadcast(Unsafe.Add(ref weights, 3));
        foreach (int input in inputs)
        {
            weights = ref Unsafe.Add(ref weights, MlpLayer.Group);
            TVector x = TLanes.Load(ref Unsafe.Add(ref from, input));
            a = TLanes.MultiplyAdd(x, TLanes.Broadcast(weights), a);
            b = TLanes.MultiplyAdd(x, TLanes.Broadcast(Unsafe.Add(ref weights, 1)), b);
            c = TLanes.MultiplyAdd(x, TLanes.Broadcast(Unsafe.Add(ref weights, 2)), c);
            d = TLanes.MultiplyAdd(x, TLanes.Broadcast(Unsafe.Add(ref weights, 3)), d);
        }

        TLanes.Store(a, ref to);
        TLanes.Store(b, ref Unsafe.Add(ref to, Stride));
        TLanes.Store(c, ref Unsafe.Add(ref to, 2 * Stride));
        TLanes.Store(d, ref Unsafe.Add(ref to, 3 * Stride));
    }

    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    static void Silu<TLanes, TVector>(ref float activations, ReadOnlySpan<int> units)
        where TLanes : struct, ILanes<TVector>
        where TVector : struct
    {
        foreach (int unit in units)
        {
            ref float activation = ref Unsafe.Add(ref activations, unit);
            TLanes.Store(VectorMath.Silu<TLanes, TVector>(TLanes.Load(ref activation)), ref activation);
        }
    }
}
