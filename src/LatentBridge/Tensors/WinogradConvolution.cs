using System.Runtime.CompilerServices;

namespace LatentBridge.Tensors;

/// <summary>
/// 3x3 convolution, stride 1, padding 1, of a picture or of a picture doubled by nearest neighbour, by <see cref="Winograd"/>
/// tiles; then bias, residual and ReLU.
/// </summary>
/// <remarks>
/// A batch of <see cref="BatchTiles"/> tiles at a time stays in the second-level cache with the layer's weights (590 kB for
/// 64 to 64 channels): transform inputs, up to 36 matrix products, transform outputs into the next ring.
/// </remarks>
sealed unsafe class WinogradConvolution<TLanes, TVector> : RowLayer
    where TLanes : ILanes<TVector>
    where TVector : struct
{
    const int BatchTiles = 24;
    const int PartTiles = 2 * BatchTiles;
    const int StepPixels = 128 * Winograd.Tile * Winograd.Tile;

    /// <summary>Floats between positions beyond the batch: keeps 36 positions out of the same cache sets.</summary>
    const int Padding = 16;

    readonly RowRing _input;
    readonly RowRing _output;
    readonly RowRing? _residual;
    readonly WinogradWeights<TLanes, TVector> _weights;
    readonly bool _doubled;
    readonly bool _relu;
    readonly int _tilesAcross;

    public WinogradConvolution(RowRing input, RowRing output, RowRing? residual, WinogradWeights<TLanes, TVector> weights, bool doubled, bool relu)
        : base(output.Height, output)
    {
        _input = input;
        _output = output;
        _residual = residual;
        _weights = weights;
        _doubled = doubled;
        _relu = relu;
        _tilesAcross = (output.Width + Winograd.Tile - 1) / Winograd.Tile;
        StepRows = RowsOf(StepPixels, output.Width);
        Reads(input, doubled ? RowReach.Doubled : RowReach.Neighbours);
        if (residual is not null)
        {
            Reads(residual, RowReach.Same);
        }
    }

    public override long ScratchLength => (Winograd.Positions * (InputStride + OutputStride)) + (Winograd.Tile * Winograd.Tile * _output.Channels);

    nint InputStride => (BatchTiles * _input.Channels) + Padding;

    nint OutputStride => (BatchTiles * _weights.PaddedOutputs) + Padding;

    public override int Parts(int first, int end) => (Tiles(first, end) + PartTiles - 1) / PartTiles;

    public override void Run(int first, int end, int part, float* scratch)
    {
        int last = Math.Min((part + 1) * PartTiles, Tiles(first, end));
        for (int tile = part * PartTiles; tile < last; tile += BatchTiles)
        {
            RunBatch(first, tile, Math.Min(BatchTiles, last - tile), scratch);
        }
    }

    int Tiles(int first, int end) => (end - first + Winograd.Tile - 1) / Winograd.Tile * _tilesAcross;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    void RunBatch(int first, int firstTile, int tiles, float* v)
    {
        float* m = v + (Winograd.Positions * InputStride);
        float* edge = m + (Winograd.Positions * OutputStride);
        for (int i = 0; i < tiles; i++)
        {
            (int down, int across) = Math.DivRem(firstTile + i, _tilesAcross);
            TransformInput(first + (down * Winograd.Tile), across * Winograd.Tile, v + (i * _input.Channels));
        }

        for (int position = 0; position < Winograd.Positions; position++)
        {
            if (!_doubled || Winograd.IsUsedAfterDoubling(position))
            {
                MatrixKernel<TLanes, TVector>.Multiply(
                    v + (position * InputStride), _input.Channels, tiles, _weights.Position(position), _weights.Inputs, _weights.PaddedOutputs,
                    _weights.Initial(position), 0, m + (position * OutputStride), _weights.PaddedOutputs);
            }
        }

        for (int i = 0; i < tiles; i++)
        {
            (int down, int across) = Math.DivRem(firstTile + i, _tilesAcross);
            TransformOutput(m + (i * _weights.PaddedOutputs), first + (down * Winograd.Tile), across * Winograd.Tile, edge);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    void TransformInput(int y, int x, float* v)
    {
        int channels = _input.Channels;
        Six d;
        if (_doubled)
        {
            nint at = ((x / 2) - 1) * channels;
            y = (y / 2) - 1;
            d.Row0 = _input.Row(y) + at;
            d.Row1 = _input.Row(y + 1) + at;
            d.Row2 = _input.Row(y + 2) + at;
            d.Row3 = _input.Row(y + 3) + at;
            d.Row4 = d.Row5 = null;
            WinogradKernel<TLanes, TVector>.TransformDoubledInput(d, channels, v, InputStride);
        }
        else
        {
            nint at = (x - 1) * channels;
            d.Row0 = _input.Row(y - 1) + at;
            d.Row1 = _input.Row(y) + at;
            d.Row2 = _input.Row(y + 1) + at;
            d.Row3 = _input.Row(y + 2) + at;
            d.Row4 = _input.Row(y + 3) + at;
            d.Row5 = _input.Row(y + 4) + at;
            WinogradKernel<TLanes, TVector>.TransformInput(d, channels, v, InputStride);
        }
    }

    // A tile that hangs over the right or lower border goes through a buffer: around the picture all must stay zero.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    void TransformOutput(float* m, int y, int x, float* edge)
    {
        int channels = _output.Channels;
        int rows = Math.Min(Winograd.Tile, _output.Height - y);
        int columns = Math.Min(Winograd.Tile, _output.Width - x);
        bool whole = rows == Winograd.Tile && columns == Winograd.Tile;
        nint at = x * channels;
        Six residual = default;
        if (_residual is not null)
        {
            residual.Row0 = _residual.Row(y) + at;
            residual.Row1 = _residual.Row(y + 1) + at;
            residual.Row2 = _residual.Row(y + 2) + at;
            residual.Row3 = _residual.Row(y + 3) + at;
        }

        Six to = default;
        nint edgeRow = Winograd.Tile * channels;
        to.Row0 = whole ? _output.Row(y) + at : edge;
        to.Row1 = whole ? _output.Row(y + 1) + at : edge + edgeRow;
        to.Row2 = whole ? _output.Row(y + 2) + at : edge + (2 * edgeRow);
        to.Row3 = whole ? _output.Row(y + 3) + at : edge + (3 * edgeRow);
        WinogradKernel<TLanes, TVector>.TransformOutput(m, OutputStride, _doubled, channels, residual, _relu, to);
        if (!whole)
        {
            for (int row = 0; row < rows; row++)
            {
                long bytes = columns * (long)channels * sizeof(float);
                Buffer.MemoryCopy(edge + (row * edgeRow), _output.Row(y + row) + at, bytes, bytes);
            }
        }
    }
}

/// <summary>A 3x3 convolution's weights as <see cref="WinogradConvolution{TLanes, TVector}"/> reads them.</summary>
sealed unsafe class WinogradWeights<TLanes, TVector> : IPreparedWeights
    where TLanes : ILanes<TVector>
    where TVector : struct
{
    readonly NativeBuffer _buffer;
    readonly nint _positionLength;

    // kernels: [output][input][3][3]; bias: one for each output, or nothing.
    public WinogradWeights(ReadOnlySpan<float> kernels, ReadOnlySpan<float> bias, int outputs, int inputs)
    {
        Inputs = inputs;
        PaddedOutputs = MatrixKernel<TLanes, TVector>.PaddedColumns(outputs);
        _positionLength = MatrixKernel<TLanes, TVector>.PackedLength(inputs, outputs);
        _buffer = new NativeBuffer((Winograd.Positions * _positionLength) + (2 * PaddedOutputs));
        float[] transformed = Winograd.TransformKernels(kernels, outputs, inputs);
        for (int position = 0; position < Winograd.Positions; position++)
        {
            MatrixKernel<TLanes, TVector>.Pack(transformed.AsSpan(position * inputs * outputs, inputs * outputs), inputs, outputs, Position(position));
        }

        bias.CopyTo(new Span<float>(Initial(Winograd.BiasPosition), PaddedOutputs));
    }

    public int Inputs { get; }

    /// <summary>Outputs rounded up to whole panels.</summary>
    public int PaddedOutputs { get; }

    public long ByteLength => _buffer.ByteLength;

    public float* Position(int position) => _buffer.Pointer + (position * _positionLength);

    /// <summary>What the sums of a position start from: the bias at one of them, zeros elsewhere.</summary>
    public float* Initial(int position) =>
        _buffer.Pointer + (Winograd.Positions * _positionLength) + (position == Winograd.BiasPosition ? PaddedOutputs : 0);

    public void Dispose() => _buffer.Dispose();
}
