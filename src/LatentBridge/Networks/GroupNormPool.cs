using LatentBridge.Simd;

namespace LatentBridge.Networks;

/// <summary>
/// x + W2 ReLU(GroupNorm(W1 x)) of every pixel, GroupNorm's mean and variance being those of a group's channels over the whole
/// picture. So it takes two passes: <see cref="Statistics"/> sums W1 x, <see cref="Pool"/> computes it again and goes on; its
/// 4 c channels are never stored.
/// </summary>
/// <remarks>
/// <code>
///   n = W1 x;   ReLU( (n - mean[g]) / sqrt(variance[g] + e) * scale[i] + shift[i] ) = ReLU( n a[i] + b[i] ),
///   a[i] = scale[i] / sqrt(variance[g] + e),   b[i] = shift[i] - mean[g] a[i],   g = i / (inner / 4)
/// </code>
/// Sums are kept by row and added up in the order of rows, so the result does not depend on threads.
/// </remarks>
abstract unsafe class GroupNormPool(GroupNormPoolLayer layer, int channels, float[] scale, float[] shift)
{
    /// <summary>Channels of a pixel's vector outside and, between the two products, inside.</summary>
    protected int Channels { get; } = channels;

    protected int Inner { get; } = layer.Inner;

    /// <summary>Channels of a group.</summary>
    protected int GroupLength => Inner / GroupNormPoolLayer.Groups;

    protected float[] A { get; } = new float[layer.Inner];

    protected float[] B { get; } = new float[layer.Inner];

    /// <summary>Floats of scratch memory that a row takes.</summary>
    public abstract long ScratchLength { get; }

    /// <summary>Adds up W1 x and its squares over one row, by group: sum, sum of squares, and so on.</summary>
    protected abstract void AddRow(float* row, int width, Span<double> sums, float* scratch);

    /// <summary>One row of the result.</summary>
    protected abstract void PoolRow(float* row, int width, float* destination, float* scratch);

    void Finish(double[] sums, int height, int width)
    {
        double count = (double)height * width * GroupLength;
        for (int group = 0; group < GroupNormPoolLayer.Groups; group++)
        {
            double sum = 0, squares = 0;
            for (int y = 0; y < height; y++)
            {
                sum += sums[(((y * GroupNormPoolLayer.Groups) + group) * 2) + 0];
                squares += sums[(((y * GroupNormPoolLayer.Groups) + group) * 2) + 1];
            }

            double mean = sum / count;
            double variance = Math.Max(0, (squares / count) - (mean * mean));
            double factor = 1 / Math.Sqrt(variance + GroupNormPoolLayer.Epsilon);
            for (int i = group * GroupLength; i < (group + 1) * GroupLength; i++)
            {
                A[i] = (float)(scale[i] * factor);
                B[i] = (float)(shift[i] - (mean * scale[i] * factor));
            }
        }
    }

    /// <summary>The first pass.</summary>
    public sealed class Statistics : RowLayer
    {
        const int SumsOfRow = 2 * GroupNormPoolLayer.Groups;

        readonly RowRing _input;
        readonly GroupNormPool _pool;
        readonly double[] _sums;

        public Statistics(RowRing input, GroupNormPool pool)
            : base(input.Height, null)
        {
            _input = input;
            _pool = pool;
            StepRows = RowsOf(1024, input.Width);
            Reads(input, RowReach.Same);
            _sums = new double[input.Height * SumsOfRow];
        }

        public override long ScratchLength => _pool.ScratchLength;

        public override int Parts(int first, int end) => end - first;

        public override void Run(int first, int end, int part, Workspace workspace)
        {
            int y = first + part;
            _pool.AddRow(_input.Row(y), _input.Width, _sums.AsSpan(y * SumsOfRow, SumsOfRow), workspace.Scratch);
        }

        public override void Complete() => _pool.Finish(_sums, _input.Height, _input.Width);
    }

    /// <summary>The second pass.</summary>
    public sealed class Pool : RowLayer
    {
        readonly RowRing _input;
        readonly RowRing _output;
        readonly GroupNormPool _pool;

        public Pool(RowRing input, RowRing output, GroupNormPool pool)
            : base(output.Height, output)
        {
            _input = input;
            _output = output;
            _pool = pool;
            StepRows = RowsOf(1024, output.Width);
            Reads(input, RowReach.Same);
        }

        public override long ScratchLength => _pool.ScratchLength;

        public override int Parts(int first, int end) => end - first;

        public override void Run(int first, int end, int part, Workspace workspace) =>
            _pool.PoolRow(_input.Row(first + part), _input.Width, _output.Row(first + part), workspace.Scratch);
    }
}

/// <summary>The reference.</summary>
sealed unsafe class ScalarGroupNormPool(GroupNormPoolLayer layer, float[] widen, float[] scale, float[] shift, float[] narrow)
    : GroupNormPool(layer, layer.Outputs, scale, shift)
{
    public override long ScratchLength => Inner;

    protected override void AddRow(float* row, int width, Span<double> sums, float* scratch)
    {
        sums.Clear();
        for (int x = 0; x < width; x++)
        {
            Multiply(widen, row + ((long)x * Channels), Channels, scratch, Inner);
            for (int i = 0; i < Inner; i++)
            {
                int group = i / GroupLength;
                sums[2 * group] += scratch[i];
                sums[(2 * group) + 1] += (double)scratch[i] * scratch[i];
            }
        }
    }

    protected override void PoolRow(float* row, int width, float* destination, float* scratch)
    {
        for (int x = 0; x < width; x++, row += Channels, destination += Channels)
        {
            Multiply(widen, row, Channels, scratch, Inner);
            for (int i = 0; i < Inner; i++)
            {
                scratch[i] = Math.Max((scratch[i] * A[i]) + B[i], 0);
            }

            Multiply(narrow, scratch, Inner, destination, Channels);
            for (int c = 0; c < Channels; c++)
            {
                destination[c] += row[c];
            }
        }
    }

    static void Multiply(float[] matrix, float* vector, int inputs, float* result, int outputs)
    {
        for (int output = 0; output < outputs; output++)
        {
            float sum = 0;
            for (int input = 0; input < inputs; input++)
            {
                sum += matrix[(output * inputs) + input] * vector[input];
            }

            result[output] = sum;
        }
    }
}

/// <summary>Batches of pixels through <see cref="MatrixKernel{TLanes, TVector}"/>.</summary>
sealed unsafe class VectorGroupNormPool<TLanes, TVector> : GroupNormPool, INativeMemory
    where TLanes : ILanes<TVector>
    where TVector : struct
{
    const int BatchPixels = 24;

    readonly NativeBuffer _weights;
    readonly float* _zeros;
    readonly float* _widen;
    readonly float* _narrow;

    public VectorGroupNormPool(GroupNormPoolLayer layer, float[] widen, float[] scale, float[] shift, float[] narrow)
        : base(layer, layer.Outputs, scale, shift)
    {
        int length = MatrixKernel<TLanes, TVector>.PackedLength(Channels, Inner);
        _weights = new NativeBuffer(length + MatrixKernel<TLanes, TVector>.PackedLength(Inner, Channels) + Inner);
        _widen = _weights.Pointer;
        _narrow = _widen + length;
        _zeros = _narrow + MatrixKernel<TLanes, TVector>.PackedLength(Inner, Channels);
        MatrixKernel<TLanes, TVector>.Pack(Transpose(widen, Inner, Channels), Channels, Inner, _widen);
        MatrixKernel<TLanes, TVector>.Pack(Transpose(narrow, Channels, Inner), Inner, Channels, _narrow);
    }

    public override long ScratchLength => BatchPixels * (Inner + Channels);

    public long ByteLength => _weights.ByteLength;

    public void Dispose() => _weights.Dispose();

    protected override void AddRow(float* row, int width, Span<double> sums, float* scratch)
    {
        sums.Clear();
        for (int x = 0; x < width; x += BatchPixels)
        {
            int pixels = Math.Min(BatchPixels, width - x);
            Widen(row + ((long)x * Channels), pixels, scratch);
            for (int group = 0; group < GroupNormPoolLayer.Groups; group++)
            {
                TVector sum = TLanes.Broadcast(0), squares = sum;
                for (int i = 0; i < pixels; i++)
                {
                    float* values = scratch + (i * Inner) + (group * GroupLength);
                    for (float* end = values + GroupLength; values != end; values += TLanes.Count)
                    {
                        TVector value = TLanes.Load(ref *values);
                        sum = TLanes.Add(sum, value);
                        squares = TLanes.MultiplyAdd(value, value, squares);
                    }
                }

                sums[2 * group] += TLanes.Sum(sum);
                sums[(2 * group) + 1] += TLanes.Sum(squares);
            }
        }
    }

    protected override void PoolRow(float* row, int width, float* destination, float* scratch)
    {
        float* result = scratch + (BatchPixels * Inner);
        for (int x = 0; x < width; x += BatchPixels, row += BatchPixels * Channels, destination += BatchPixels * Channels)
        {
            int pixels = Math.Min(BatchPixels, width - x);
            Widen(row, pixels, scratch);
            Normalise(scratch, pixels);
            MatrixKernel<TLanes, TVector>.Multiply(scratch, Inner, pixels, _narrow, Inner, Channels, row, Channels, result, Channels);
            new ReadOnlySpan<float>(result, pixels * Channels).CopyTo(new Span<float>(destination, pixels * Channels));
        }
    }

    void Widen(float* row, int pixels, float* wide) =>
        MatrixKernel<TLanes, TVector>.Multiply(row, Channels, pixels, _widen, Channels, Inner, _zeros, 0, wide, Inner);

    void Normalise(float* wide, int pixels)
    {
        TVector zero = TLanes.Broadcast(0);
        for (int c = 0; c < Inner; c += TLanes.Count)
        {
            TVector a = TLanes.Load(ref A[c]), b = TLanes.Load(ref B[c]);
            for (int i = 0; i < pixels; i++)
            {
                ref float value = ref wide[(i * Inner) + c];
                TLanes.Store(TLanes.Max(TLanes.MultiplyAdd(TLanes.Load(ref value), a, b), zero), ref value);
            }
        }
    }

    static float[] Transpose(float[] matrix, int rows, int columns)
    {
        float[] transposed = new float[matrix.Length];
        for (int row = 0; row < rows; row++)
        {
            for (int column = 0; column < columns; column++)
            {
                transposed[(column * rows) + row] = matrix[(row * columns) + column];
            }
        }

        return transposed;
    }
}
