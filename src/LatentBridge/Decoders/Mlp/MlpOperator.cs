using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using LatentBridge.Tensors;

namespace LatentBridge.Decoders.Mlp;

/// <summary>
/// y = W x + b, layer after layer, SiLU after each but the last.
/// </summary>
/// <remarks>
/// Lane = cell, so every weight is broadcast. Outputs go four at a time, which uses a loaded activation four times; layers
/// are padded with zero rows to a multiple of four, whose results are never read. The last layer carries the scale to bytes.
/// </remarks>
/// <param name="layers">At least two.</param>
/// <param name="scratch">Room for two activations of the widest layer, 16 lanes each; belongs to the one decode at a time.</param>
readonly struct MlpOperator(MlpLayer[] layers, float[] scratch) : IPixelOperator
{
    public void Invoke<TLanes, TVector>(ref readonly float cells, nint stride, out TVector red, out TVector green, out TVector blue)
        where TLanes : struct, ILanes<TVector>
        where TVector : struct
    {
        ref float first = ref MemoryMarshal.GetArrayDataReference(scratch);
        ref float second = ref Unsafe.Add(ref first, scratch.Length / 2);
        ref float from = ref Unsafe.AsRef(in cells);
        nint step = stride;
        ref float to = ref first;
        for (int l = 0; l < layers.Length - 1; l++)
        {
            MlpLayer layer = layers[l];
            ref float weights = ref MemoryMarshal.GetArrayDataReference(layer.Packed);
            for (int o = 0; o < layer.Outputs; o += MlpLayer.Group)
            {
                Sum<TLanes, TVector>(ref weights, layer.Inputs, ref from, step, out TVector a, out TVector b, out TVector c, out TVector d);
                TLanes.Store(VectorMath.Silu<TLanes, TVector>(a), ref Unsafe.Add(ref to, o * TLanes.Count));
                TLanes.Store(VectorMath.Silu<TLanes, TVector>(b), ref Unsafe.Add(ref to, (o + 1) * TLanes.Count));
                TLanes.Store(VectorMath.Silu<TLanes, TVector>(c), ref Unsafe.Add(ref to, (o + 2) * TLanes.Count));
                TLanes.Store(VectorMath.Silu<TLanes, TVector>(d), ref Unsafe.Add(ref to, (o + 3) * TLanes.Count));
                weights = ref Unsafe.Add(ref weights, (layer.Inputs + 1) * MlpLayer.Group);
            }

            from = ref to;
            step = TLanes.Count;
            to = ref l % 2 == 0 ? ref second : ref first;
        }

        MlpLayer output = layers[^1];
        Sum<TLanes, TVector>(ref MemoryMarshal.GetArrayDataReference(output.Packed), output.Inputs, ref from, step, out red, out green, out blue, out _);
    }

    /// <summary>Four outputs: bias plus weights times activations.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void Sum<TLanes, TVector>(ref float weights, int inputs, ref float from, nint step, out TVector a, out TVector b, out TVector c, out TVector d)
        where TLanes : struct, ILanes<TVector>
        where TVector : struct
    {
        a = TLanes.Broadcast(weights);
        b = TLanes.Broadcast(Unsafe.Add(ref weights, 1));
        c = TLanes.Broadcast(Unsafe.Add(ref weights, 2));
        d = TLanes.Broadcast(Unsafe.Add(ref weights, 3));
        for (int i = 0; i < inputs; i++)
        {
            weights = ref Unsafe.Add(ref weights, MlpLayer.Group);
            TVector x = TLanes.Load(ref Unsafe.Add(ref from, i * step));
            a = TLanes.MultiplyAdd(x, TLanes.Broadcast(weights), a);
            b = TLanes.MultiplyAdd(x, TLanes.Broadcast(Unsafe.Add(ref weights, 1)), b);
            c = TLanes.MultiplyAdd(x, TLanes.Broadcast(Unsafe.Add(ref weights, 2)), c);
            d = TLanes.MultiplyAdd(x, TLanes.Broadcast(Unsafe.Add(ref weights, 3)), d);
        }
    }
}
