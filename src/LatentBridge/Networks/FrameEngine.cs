using LatentBridge.Simd;

namespace LatentBridge.Networks;

/// <summary>Computes a <see cref="Network"/> over frames: wanted ones by themselves, or one input frame after the other.</summary>
/// <remarks>One run at a time. A run like the last one allocates nothing. Holds weights, memory for the last size used, and threads.</remarks>
sealed unsafe class FrameEngine : IDisposable
{
    readonly Network _network;
    readonly int _stripeWidth;
    readonly NetworkKernels _kernels;
    readonly PreparedLayer[] _prepared;
    readonly NetworkThreads _threads = new();
    NativeBuffer _rings = new(0);
    NativeBuffer _memory = new(0);
    FramePlan? _plan;

    /// <param name="network">What to compute.</param>
    /// <param name="weights">Gives the values of a tensor by its name.</param>
    /// <param name="width">Vector width to compute with.</param>
    /// <param name="stripeWidth">Columns of the input from which on it is cut into stripes; tests set it.</param>
    public FrameEngine(Network network, Func<string, float[]> weights, KernelWidth width, int? stripeWidth = null)
    {
        _network = network;
        _stripeWidth = stripeWidth ?? (NetworkStripes.FinestColumns / network.Finest);
        _kernels = NetworkKernels.Create(width);
        _prepared = [.. network.Layers.Cast<ConvolutionLayer>().Select(layer => new PreparedLayer(network, layer, _kernels, weights))];
        WeightBytes = Math.Max(_kernels.ByteLength, network.Tensors.Sum(tensor => tensor.Length) * sizeof(float));
    }

    /// <summary>Bytes of memory outside the managed heap that it holds now.</summary>
    public long HeldBytes => WeightBytes + _rings.ByteLength + _memory.ByteLength + _threads.ByteLength;

    long WeightBytes { get; }

    /// <summary>Bytes of memory that <see cref="Run"/> takes at its peak, weights included.</summary>
    public long WorkingBytes(int height, int width, int threads, FrameMemory memory, IReadOnlyList<int> wanted)
    {
        FramePlanSize size = new(height, width, RowPipeline.BusyParts(threads), memory);
        FramePlan plan = IsLaidFor(size, wanted) ? _plan! : Lay(size, wanted);
        return WeightBytes + ((plan.RingLength + plan.MemoryLength + (threads * plan.Pipeline.ScratchLength)) * sizeof(float));
    }

    /// <summary>From input frames, planes [frame][channel][row][column], to the wanted frames of the output.</summary>
    /// <param name="height">Rows of the input.</param>
    /// <param name="width">Columns of the input.</param>
    /// <param name="planes">The input frames.</param>
    /// <param name="memory">Whether it goes on where the last run ended, and is gone on from; then the last frame that the input makes must be wanted.</param>
    /// <param name="wanted">Frames of the output, 0 being the first that the first input frame makes.</param>
    /// <param name="output">A frame's planes [channel][row][column], or its interleaved bytes, one behind the other.</param>
    /// <param name="isBytes">Whether the output is bytes, of 0 to 255 for 0 to 1.</param>
    /// <param name="threads">The caller's included.</param>
    /// <param name="cancellation">Looked at some thousand times a second.</param>
    public void Run(
        int height, int width, float* planes, FrameMemory memory, IReadOnlyList<int> wanted, void* output, bool isBytes, int threads, CancellationToken cancellation)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(threads, 1);
        cancellation.ThrowIfCancellationRequested();
        FramePlan plan = PlanFor(new(height, width, RowPipeline.BusyParts(threads), memory), wanted);
        _threads.Prepare(threads, plan.Pipeline.ScratchLength);
        foreach ((int frame, NetworkInput input) in plan.Inputs)
        {
            input.Begin(planes + ((long)frame * _network.InputChannels * height * width), null, width);
        }

        long length = (long)_network.PixelsOf(height) * plan.OutputWidth * _network.Shuffle * _network.Shuffle * _network.OutputChannels;
        for (int i = 0; i < wanted.Count; i++)
        {
            plan.Outputs[i].Begin(isBytes ? null : (float*)output + (i * length), isBytes ? (byte*)output + (i * length) : null, plan.OutputWidth);
        }

        if (memory != FrameMemory.None)
        {
            plan.PlaceMemory(_memory.Pointer);
        }

        for (int i = 0; i < plan.Stripes.Length; i++)
        {
            plan.Begin(i);
            _threads.Run(plan.Pipeline, threads, cancellation);
        }

        // The rings are raw pointers to the layers: their buffers must outlive the run even if nobody holds this any more.
        GC.KeepAlive(this);
    }

    public void Dispose()
    {
        _threads.Dispose();
        _rings.Dispose();
        _memory.Dispose();
        _kernels.Dispose();
    }

    FramePlan Lay(in FramePlanSize size, IReadOnlyList<int> wanted) => new(_network, _kernels, _prepared, size, [.. wanted], _stripeWidth);

    bool IsLaidFor(in FramePlanSize size, IReadOnlyList<int> wanted)
    {
        if (_plan is not { Size: var laid } || laid.Height != size.Height || laid.Width != size.Width || laid.BusyParts != size.BusyParts
            || laid.Memory != size.Memory || _plan.Wanted.Count != wanted.Count)
        {
            return false;
        }

        for (int i = 0; i < wanted.Count; i++)
        {
            if (_plan.Wanted[i] != wanted[i])
            {
                return false;
            }
        }

        return true;
    }

    FramePlan PlanFor(in FramePlanSize size, IReadOnlyList<int> wanted)
    {
        if (!IsLaidFor(size, wanted))
        {
            _plan = null;
            _rings.Dispose();
            _rings = new(0);
            FramePlan plan = Lay(size, wanted);
            _rings = new NativeBuffer(plan.RingLength);
            plan.Place(_rings.Pointer);
            if (_memory.Length != plan.MemoryLength && size.Memory != FrameMemory.None)
            {
                _memory.Dispose();
                _memory = new(plan.MemoryLength);
            }

            _plan = plan;
        }

        return _plan!;
    }
}
