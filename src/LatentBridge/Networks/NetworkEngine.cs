using LatentBridge.Simd;

namespace LatentBridge.Networks;

/// <summary>Computes a <see cref="Network"/>: holds its weights, its memory for the last size used, and its threads.</summary>
/// <remarks>One run at a time. A run of the same size and threads as the last allocates nothing.</remarks>
sealed unsafe class NetworkEngine : IDisposable
{
    readonly Network _network;
    readonly int _stripeWidth;
    readonly NetworkKernels _kernels;
    readonly NetworkThreads _threads = new();
    readonly List<object> _prepared = [];
    readonly long _weightBytes;
    NativeBuffer _rings = new(0);
    NetworkPlan? _plan;

    /// <param name="network">What to compute.</param>
    /// <param name="weights">Gives the values of a tensor by its name.</param>
    /// <param name="width">Vector width to compute with.</param>
    /// <param name="stripeWidth">Columns of the input from which on it is cut into stripes; tests set it.</param>
    public NetworkEngine(Network network, Func<string, float[]> weights, KernelWidth width, int? stripeWidth = null)
    {
        _network = network;
        _stripeWidth = stripeWidth ?? (NetworkStripes.FinestColumns / network.Finest);
        _kernels = NetworkKernels.Create(width);
        int channels = NetworkKernels.RingChannels(network.InputChannels);
        long parameters = 0;
        foreach (NetworkLayer layer in network.Layers)
        {
            float[][] tensors = [.. layer.Tensors.Select(tensor => weights(tensor.Name))];
            parameters += tensors.Sum(tensor => (long)tensor.Length);
            _prepared.Add(layer is ConvolutionLayer convolution
                ? PrepareConvolution(convolution, channels, tensors, layer == network.Layers[^1])
                : _kernels.Prepare((GroupNormPoolLayer)layer, tensors[0], tensors[1], tensors[2], tensors[3]));
            channels = NetworkKernels.RingChannels(layer);
        }

        _weightBytes = Math.Max(_kernels.ByteLength, parameters * sizeof(float));
    }

    /// <summary>Bytes of memory outside the managed heap that it holds now.</summary>
    public long HeldBytes => _weightBytes + _rings.ByteLength + _threads.ByteLength;

    /// <summary>Bytes of memory that a run on an input of this size takes at its peak, weights included.</summary>
    public long WorkingBytes(int height, int width, int threads)
    {
        NetworkPlan plan = _plan is { } last && IsFor(last, height, width, threads) ? last : new NetworkPlan(_network, _kernels, _prepared, height, width, _stripeWidth, RowPipeline.BusyParts(threads));
        return _weightBytes + ((plan.RingLength + (threads * plan.ScratchLength)) * sizeof(float));
    }

    /// <summary>From planes [channel][row][column], or RGB24 bytes read as 0..1, to the same.</summary>
    /// <param name="height">Rows of the input.</param>
    /// <param name="width">Columns of the input.</param>
    /// <param name="inputPlanes">Or null.</param>
    /// <param name="inputPixels">Or null.</param>
    /// <param name="outputPlanes">Or null.</param>
    /// <param name="outputPixels">Or null.</param>
    /// <param name="threads">The caller's included.</param>
    /// <param name="cancellation">Looked at some thousand times a second.</param>
    public void Run(
        int height, int width, float* inputPlanes, byte* inputPixels, float* outputPlanes, byte* outputPixels, int threads, CancellationToken cancellation)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(threads, 1);
        cancellation.ThrowIfCancellationRequested();
        NetworkPlan plan = PlanFor(height, width, threads);
        _threads.Prepare(threads, plan.ScratchLength);
        plan.Input.Begin(inputPlanes, inputPixels, width);
        plan.Output.Begin(outputPlanes, outputPixels, plan.OutputWidth);
        for (int i = 0; i < plan.Stripes.Length; i++)
        {
            plan.Begin(i);
            foreach (RowPipeline pass in plan.Passes)
            {
                _threads.Run(pass, threads, cancellation);
            }
        }

        // The rings are raw pointers to the layers: their buffer must outlive the run even if nobody holds this any more.
        GC.KeepAlive(this);
    }

    public void Dispose()
    {
        _threads.Dispose();
        _rings.Dispose();
        _kernels.Dispose();
    }

    static bool IsFor(NetworkPlan plan, int height, int width, int threads) =>
        plan.Height == height && plan.Width == width && plan.BusyParts == RowPipeline.BusyParts(threads);

    NetworkPlan PlanFor(int height, int width, int threads)
    {
        if (_plan is null || !IsFor(_plan, height, width, threads))
        {
            _plan = null;
            _rings.Dispose();
            NetworkPlan plan = new(_network, _kernels, _prepared, height, width, _stripeWidth, RowPipeline.BusyParts(threads));
            _rings = new NativeBuffer(plan.RingLength);
            plan.Place(_rings.Pointer);
            _plan = plan;
        }

        return _plan;
    }

    NetworkKernels.Placement PrepareConvolution(ConvolutionLayer layer, int inputChannels, float[][] tensors, bool isLast)
    {
        float[] weights = tensors[0];
        float[]? bias = tensors.Length > 1 ? tensors[1] : null;
        if (isLast)
        {
            (weights, bias) = _network.ArrangeOutput(layer, weights, bias);
        }

        return _kernels.Prepare(layer, inputChannels, weights, bias);
    }
}
