using LatentBridge.Networks;
using LatentBridge.Simd;

namespace LatentBridge.Fitting.Training;

/// <summary>A 3x3 convolution that learns: its weights, their gradient, and Adam's memory of it.</summary>
/// <remarks>Weights are [tap][input][output], outputs filled up to whole panels, inputs of a tap to whole <see cref="ConvolutionKernel.Rows"/>; the biases follow. What fills up stays zero.</remarks>
sealed unsafe class TrainedConvolution : IDisposable
{
    /// <summary>Pixels whose inputs and derivatives stay in the first-level cache while all weights' gradients take them in.</summary>
    const int ChunkPixels = 96;

    readonly ConvolutionKernel _kernel;
    readonly int _threads;
    readonly int _rows;
    readonly int _columns;
    readonly int _biasAt;
    readonly NativeBuffer _gradient;
    readonly NativeBuffer _forward;
    readonly NativeBuffer _backward;

    public TrainedConvolution(ConvolutionLayer layer, KernelWidth width, int threads)
    {
        (Layer, _kernel, _threads) = (layer, ConvolutionKernel.Create(width), threads);
        _rows = (layer.Inputs + ConvolutionKernel.Rows - 1) / ConvolutionKernel.Rows * ConvolutionKernel.Rows;
        _columns = Padded(layer.Outputs);
        _biasAt = 9 * _rows * _columns;
        Parameters = new float[_biasAt + _columns];
        _gradient = new NativeBuffer(Parameters.Length);
        _forward = new NativeBuffer((9L * layer.Inputs * _columns) + _columns);
        _backward = new NativeBuffer((9L * layer.Outputs * Padded(layer.Inputs)) + Padded(layer.Inputs));
    }

    public ConvolutionLayer Layer { get; }

    /// <summary>All that is learned. After a change <see cref="Refresh"/> is due.</summary>
    public float[] Parameters { get; }

    /// <summary>The loss's derivative by each of <see cref="Parameters"/>.</summary>
    public Span<float> Gradient => new(_gradient.Pointer, Parameters.Length);

    /// <summary>Where a weight or, with <paramref name="tap"/> 9, a bias is among <see cref="Parameters"/>.</summary>
    public int Index(int output, int input, int tap) => tap == 9 ? _biasAt + output : (((tap * _rows) + input) * _columns) + output;

    /// <summary>Takes weights [output][input][3][3] and biases.</summary>
    public void Set(ReadOnlySpan<float> weights, ReadOnlySpan<float> biases)
    {
        for (int i = 0; i < weights.Length; i++)
        {
            Parameters[Index(i / 9 / Layer.Inputs, i / 9 % Layer.Inputs, i % 9)] = weights[i];
        }

        biases.CopyTo(Parameters.AsSpan(_biasAt));
    }

    /// <summary>Weights [output][input][3][3] of parameters, or of a mean of them.</summary>
    public float[] Weights(ReadOnlySpan<float> parameters)
    {
        float[] weights = new float[9 * Layer.Inputs * Layer.Outputs];
        for (int i = 0; i < weights.Length; i++)
        {
            weights[i] = parameters[Index(i / 9 / Layer.Inputs, i / 9 % Layer.Inputs, i % 9)];
        }

        return weights;
    }

    public float[] Biases(ReadOnlySpan<float> parameters) => parameters.Slice(_biasAt, Layer.Outputs).ToArray();

    /// <summary>Lays the weights out as the kernels read them.</summary>
    public void Refresh()
    {
        int panel = _kernel.PanelColumns, inputs = Layer.Inputs, outputs = Layer.Outputs, backColumns = Padded(inputs);
        for (int tap = 0; tap < 9; tap++)
        {
            for (int input = 0; input < inputs; input++)
            {
                ReadOnlySpan<float> row = Parameters.AsSpan(((tap * _rows) + input) * _columns, _columns);
                for (int column = 0; column < _columns; column += panel)
                {
                    row.Slice(column, panel).CopyTo(new(_forward.Pointer + ((((column / panel * 9L) + tap) * inputs) + input) * panel, panel));
                }

                // By the input: y[p] took x[p + t], so x[p] is in y[p - t].
                float* to = _backward.Pointer + (((((input / panel * 9L) + 8 - tap) * outputs) * panel) + (input % panel));
                for (int output = 0; output < outputs; output++)
                {
                    to[(long)output * panel] = row[output];
                }
            }
        }

        Parameters.AsSpan(_biasAt, _columns).CopyTo(new(_forward.Pointer + (9L * inputs * _columns), _columns));
    }

    /// <summary>y = W x + b, what lies between the crops included.</summary>
    public void Forward(PaddedBatch x, PaddedBatch y) => Convolve(x, y, _forward.Pointer, Layer.Inputs, _forward.Pointer + (9L * Layer.Inputs * _columns));

    /// <summary>Derivatives by the input from those by the output, what lies between the crops included.</summary>
    public void BackwardToInput(PaddedBatch dy, PaddedBatch dx) =>
        Convolve(dy, dx, _backward.Pointer, Layer.Outputs, _backward.Pointer + (9L * Layer.Outputs * Padded(Layer.Inputs)));

    /// <summary>The gradient; between the crops <paramref name="dy"/> is zero.</summary>
    public void BackwardToWeights(PaddedBatch x, PaddedBatch dy)
    {
        Gradient.Clear();
        int blocks = 9 * _rows / ConvolutionKernel.Rows;
        Share(_threads, thread =>
        {
            (int first, int end) = (blocks * thread / _threads, blocks * (thread + 1) / _threads);
            for (int pixel = 0; pixel < dy.PixelCount; pixel += ChunkPixels)
            {
                int count = Math.Min(ChunkPixels, dy.PixelCount - pixel);
                float* derivatives = dy.Pixels + ((long)pixel * dy.Channels);
                for (int block = first; block < end; block++)
                {
                    int row = block * ConvolutionKernel.Rows;
                    _kernel.Correlate(
                        x.Pixels + ((long)pixel * x.Channels) + x.Offset(row / _rows) + (row % _rows), x.Channels, derivatives, dy.Channels, count,
                        _gradient.Pointer + ((long)row * _columns));
                }
            }
        });
        SumOfPixels(dy, Gradient[_biasAt..]);
        ClearSpareRows();
    }

    public void Dispose()
    {
        _gradient.Dispose();
        _forward.Dispose();
        _backward.Dispose();
    }

    static int Padded(int channels) => (channels + 31) / 32 * 32;

    /// <summary>Does the work of each thread; one alone on the caller's.</summary>
    static void Share(int threads, Action<int> work)
    {
        if (threads == 1)
        {
            work(0);
        }
        else
        {
            Parallel.For(0, threads, new ParallelOptions { MaxDegreeOfParallelism = threads }, work);
        }
    }

    void Convolve(PaddedBatch x, PaddedBatch y, float* panels, int inputs, float* bias)
    {
        int groups = (y.PixelCount + ConvolutionKernel.Rows - 1) / ConvolutionKernel.Rows;
        Share(_threads, thread =>
        {
            nint* offsets = stackalloc nint[9];
            for (int tap = 0; tap < 9; tap++)
            {
                offsets[tap] = x.Offset(tap);
            }

            int first = groups * thread / _threads * ConvolutionKernel.Rows, end = groups * (thread + 1) / _threads * ConvolutionKernel.Rows;
            _kernel.Convolve(
                x.Pixels + ((long)first * x.Channels), x.Channels, offsets, inputs, panels, bias, y.Pixels + ((long)first * y.Channels), y.Channels, end - first);
        });
    }

    static void SumOfPixels(PaddedBatch dy, Span<float> sums)
    {
        for (int pixel = 0; pixel < dy.PixelCount; pixel++)
        {
            Elementwise.Add(dy.Values.Slice(pixel * dy.Channels, dy.Channels), sums);
        }
    }

    // Rows that only fill up read the next pixel's channels.
    void ClearSpareRows()
    {
        for (int tap = 0; tap < 9; tap++)
        {
            Gradient.Slice(((tap * _rows) + Layer.Inputs) * _columns, (_rows - Layer.Inputs) * _columns).Clear();
        }
    }
}
