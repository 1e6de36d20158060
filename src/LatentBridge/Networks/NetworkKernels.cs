using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using LatentBridge.Simd;

namespace LatentBridge.Networks;

/// <summary>Makes a network's layers compute at one vector width; owns their weights in the order those kernels read.</summary>
abstract class NetworkKernels : IDisposable
{
    readonly List<INativeMemory> _owned = [];

    /// <summary>Bytes of the weights as prepared, outside the managed heap.</summary>
    public long ByteLength => _owned.Sum(weights => weights.ByteLength);

    /// <summary>Puts a convolution between two rings; the third, if any, is added before ReLU.</summary>
    public delegate RowLayer Placement(RowRing input, RowRing output, RowRing? residual);

    public static NetworkKernels Create(KernelWidth width) => width switch
    {
        KernelWidth.Vector512 => new VectorKernels<Lanes512, Vector512<float>>(),
        KernelWidth.Vector256 => new VectorKernels<Lanes256, Vector256<float>>(),
        KernelWidth.Vector128 => new VectorKernels<Lanes128, Vector128<float>>(),
        _ => new ScalarKernels(),
    };

    /// <summary>Floats of a pixel in a ring of this many channels: whole vectors of any width.</summary>
    public static int RingChannels(int channels) => (channels + 15) / 16 * 16;

    /// <summary>Floats of a pixel in the ring behind a layer: a colour takes 4.</summary>
    public static int RingChannels(NetworkLayer layer) => layer is ConvolutionLayer { IsRgb: true } ? 4 : RingChannels(layer.Outputs);

    /// <param name="layer">What to compute.</param>
    /// <param name="inputChannels">Floats of a pixel of its input ring.</param>
    /// <param name="weights">[output][input][3][3]</param>
    /// <param name="bias">One for each output; null for none.</param>
    public abstract Placement Prepare(ConvolutionLayer layer, int inputChannels, float[] weights, float[]? bias);

    /// <summary>x = 3 tanh(x / 3) of so many values; those behind them, up to a whole vector, may change too.</summary>
    public abstract unsafe void Clamp(float* values, int count);

    public abstract GroupNormPool Prepare(GroupNormPoolLayer layer, float[] widen, float[] scale, float[] shift, float[] narrow);

    public void Dispose() => _owned.ForEach(weights => weights.Dispose());

    protected T Own<T>(T weights)
        where T : INativeMemory
    {
        _owned.Add(weights);
        return weights;
    }
}

/// <summary>The reference kernels.</summary>
sealed class ScalarKernels : NetworkKernels
{
    public override Placement Prepare(ConvolutionLayer layer, int inputChannels, float[] weights, float[]? bias)
    {
        float[] reordered = ScalarConvolution.Reorder(weights, layer.IsDepthwise ? layer.Inputs : layer.Outputs, layer.Taps);
        return (input, output, residual) => new ScalarConvolution(input, output, residual, reordered, bias, layer);
    }

    public override unsafe void Clamp(float* values, int count)
    {
        for (int i = 0; i < count; i++)
        {
            values[i] = 3 * MathF.Tanh(values[i] / 3);
        }
    }

    public override GroupNormPool Prepare(GroupNormPoolLayer layer, float[] widen, float[] scale, float[] shift, float[] narrow) =>
        new ScalarGroupNormPool(layer, widen, scale, shift, narrow);
}

/// <summary>The vector kernels.</summary>
sealed class VectorKernels<TLanes, TVector> : NetworkKernels
    where TLanes : struct, ILanes<TVector>
    where TVector : struct
{
    public override Placement Prepare(ConvolutionLayer layer, int inputChannels, float[] weights, float[]? bias)
    {
        if (layer.Reach == RowReach.Halved)
        {
            StridedWeights<TLanes, TVector> strided = Own(new StridedWeights<TLanes, TVector>(weights, bias, layer.Outputs, layer.Inputs, inputChannels));
            return (input, output, _) => new StridedConvolution<TLanes, TVector>(input, output, strided, layer.Relu);
        }

        if (layer.IsDepthwise)
        {
            NativeBuffer depthwise = Own(DepthwiseConvolution<TLanes, TVector>.Arrange(weights, layer.Taps));
            return (input, output, past) => new DepthwiseConvolution<TLanes, TVector>(input, past, output, depthwise, layer);
        }

        if (layer.Side == 1 || layer.Groups > 1)
        {
            GroupedWeights<TLanes, TVector> grouped = Own(new GroupedWeights<TLanes, TVector>(weights, bias, layer));
            return (input, output, residual) => new GroupedConvolution<TLanes, TVector>(input, output, residual, grouped, layer);
        }

        if (layer.IsRgb)
        {
            NativeBuffer rgb = Own(RgbConvolution<TLanes, TVector>.Arrange(weights, bias, layer.Inputs, inputChannels));
            return (input, output, _) => new RgbConvolution<TLanes, TVector>(input, output, rgb);
        }

        WinogradWeights<TLanes, TVector> winograd = Own(new WinogradWeights<TLanes, TVector>(weights, bias, layer.Outputs, layer.Inputs));
        return (input, output, residual) => new WinogradConvolution<TLanes, TVector>(input, output, residual, winograd, layer.Reach == RowReach.Doubled, layer.Relu);
    }

    // A remainder goes through a whole vector as well: a value's bits must not depend on where in a row it stands.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override unsafe void Clamp(float* values, int count)
    {
        TVector three = TLanes.Broadcast(3);
        for (int i = 0; i < count; i += TLanes.Count)
        {
            TVector x = TLanes.Divide(TLanes.Load(ref values[i]), three);
            TLanes.Store(TLanes.Multiply(three, VectorMath.Tanh<TLanes, TVector>(x)), ref values[i]);
        }
    }

    public override GroupNormPool Prepare(GroupNormPoolLayer layer, float[] widen, float[] scale, float[] shift, float[] narrow) =>
        Own(new VectorGroupNormPool<TLanes, TVector>(layer, widen, scale, shift, narrow));
}
