using System.Runtime.CompilerServices;

namespace LatentBridge.Tensors;

/// <summary>
/// 3x3 convolution, stride 1, padding 1, of a picture or of a picture doubled by nearest neighbour, by <see cref="Winograd"/>
/// tiles; then bias, residual and ReLU.
/// </summary>
/// <remarks>
/// A batch of tiles at a time stays in the second-level cache with the layer's transformed weights (590 kB for 64 to 64
/// channels): transform inputs, 36 (or 25) matrix products, transform outputs into the next ring.
/// </remarks>
sealed unsafe class WinogradConvolution<TLanes, TVector> : RowLayer
    where TLanes : ILanes<TVector>
    where TVector : struct
{
    const int BatchTiles = 24;
    const int StepPixels = 64 * Winograd.Tile * Winograd.Tile;

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

    public override long KernelsLength => _weights.TransformedLength;

    public override long ScratchLength => (Winograd.Positions * (InputStride + OutputStride)) + (Winograd.Tile * Winograd.Tile * _output.Channels);

    nint InputStride => (BatchTiles * _input.Channels) + Padding;

    nint OutputStride => (BatchTiles * _weights.PaddedOutputs) + Padding;

    public override int Parts(int first, int end) => (Tiles(first, end) + BatchTiles - 1) / BatchTiles;

    public override void Run(int first, int end, int part, Workspace workspace)
    {
        float* u = workspace.Kernels(_weights, out bool isThere);
        if (!isThere)
        {
            _weights.Transform(u);
        }

        int tile = part * BatchTiles;
        RunBatch(first, tile, Math.Min(BatchTiles, Tiles(first, end) - tile), u, workspace.Scratch);
    }

    int Tiles(int first, int end) => (end - first + Winograd.Tile - 1) / Winograd.Tile * _tilesAcross;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    void RunBatch(int first, int firstTile, int tiles, float* u, float* v)
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
                    v + (position * InputStride), _input.Channels, tiles, u + (position * _weights.PositionStride), _weights.Inputs, _weights.PaddedOutputs,
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

/// <summary>
/// A 3x3 convolution's weights as <see cref="WinogradConvolution{TLanes, TVector}"/> reads them: untransformed, a quarter of the
/// transformed bytes.
/// </summary>
sealed unsafe class WinogradWeights<TLanes, TVector> : IPreparedWeights
    where TLanes : ILanes<TVector>
    where TVector : struct
{
    /// <summary>Floats between positions beyond the matrix: keeps 36 positions out of the same cache sets.</summary>
    const int Padding = 16;

    readonly NativeBuffer _buffer;

    // kernels: [output][input][3][3], kept as [panel][input][3][3][output in panel]; bias: one for each output, or nothing.
    public WinogradWeights(ReadOnlySpan<float> kernels, ReadOnlySpan<float> bias, int outputs, int inputs)
    {
        Inputs = inputs;
        PaddedOutputs = MatrixKernel<TLanes, TVector>.PaddedColumns(outputs);
        _buffer = new NativeBuffer((9L * inputs * PaddedOutputs) + (2 * PaddedOutputs));
        int panel = MatrixKernel<TLanes, TVector>.PanelColumns;
        for (int output = 0; output < outputs; output++)
        {
            for (int input = 0; input < inputs; input++)
            {
                for (int tap = 0; tap < 9; tap++)
                {
                    _buffer.Pointer[(((((output / panel * inputs) + input) * 9) + tap) * panel) + (output % panel)] = kernels[(((output * inputs) + input) * 9) + tap];
                }
            }
        }

        bias.CopyTo(new Span<float>(Initial(Winograd.BiasPosition), PaddedOutputs));
    }

    public int Inputs { get; }

    /// <summary>Outputs rounded up to whole panels.</summary>
    public int PaddedOutputs { get; }

    public long ByteLength => _buffer.ByteLength;

    /// <summary>Floats from one position's matrix to the next.</summary>
    public nint PositionStride => (Inputs * (nint)PaddedOutputs) + Padding;

    /// <summary>Floats of all positions' matrices.</summary>
    public long TransformedLength => Winograd.Positions * PositionStride;

    /// <summary>What the sums of a position start from: the bias at one of them, zeros elsewhere.</summary>
    public float* Initial(int position) =>
        _buffer.Pointer + (9L * Inputs * PaddedOutputs) + (position == Winograd.BiasPosition ? PaddedOutputs : 0);

    /// <summary>Writes G g Gt: for every position the matrix inputs x outputs, packed for <see cref="MatrixKernel{TLanes, TVector}"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Transform(float* transformed)
    {
        int panel = MatrixKernel<TLanes, TVector>.PanelColumns;
        float* g = _buffer.Pointer;
        for (int i = 0; i < Inputs * PaddedOutputs; i += panel, g += 9 * panel)
        {
            WinogradKernel<TLanes, TVector>.TransformKernel(g, panel, transformed + i, PositionStride);
            WinogradKernel<TLanes, TVector>.TransformKernel(g + TLanes.Count, panel, transformed + i + TLanes.Count, PositionStride);
        }
    }

    public void Dispose() => _buffer.Dispose();
}
