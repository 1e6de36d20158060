using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;
using LatentBridge.Simd;

namespace LatentBridge.Networks;

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
    const int BatchTiles = 12;
    const int StepPixels = 128 * Winograd.Tile * Winograd.Tile;

    /// <summary>Floats between positions beyond the batch: keeps 36 positions out of the same cache sets.</summary>
    const int Padding = 16;

    readonly RowRing _input;
    readonly RowRing _output;
    readonly RowRing? _residual;
    readonly WinogradWeights<TLanes, TVector> _weights;
    readonly bool _doubled;
    readonly bool _relu;

    public WinogradConvolution(RowRing input, RowRing output, RowRing? residual, WinogradWeights<TLanes, TVector> weights, bool doubled, bool relu)
        : base(output.Height, output)
    {
        _input = input;
        _output = output;
        _residual = residual;
        _weights = weights;
        _doubled = doubled;
        _relu = relu;
        StepRows = RowsOf(StepPixels, output.Width);
        Reads(input, doubled ? RowReach.Doubled : RowReach.Neighbours);
        if (residual is not null)
        {
            Reads(residual, RowReach.Same);
        }
    }

    public override long ScratchLength => (Winograd.Positions * (InputStride + OutputStride)) + (Winograd.Tile * Winograd.Tile * _output.Channels);

    int FirstTile => Columns.First / Winograd.Tile;

    int TilesAcross => ((Columns.End + Winograd.Tile - 1) / Winograd.Tile) - FirstTile;

    nint InputStride => (BatchTiles * _input.Channels) + Padding;

    nint OutputStride => (BatchTiles * _weights.PaddedOutputs) + Padding;

    public override int Parts(int first, int end) => (Tiles(first, end) + BatchTiles - 1) / BatchTiles;

    public override void Run(int first, int end, int part, Workspace workspace)
    {
        int tile = part * BatchTiles;
        RunBatch(first, tile, Math.Min(BatchTiles, Tiles(first, end) - tile), workspace.Scratch);
    }

    int Tiles(int first, int end) => (end - first + Winograd.Tile - 1) / Winograd.Tile * TilesAcross;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    void RunBatch(int first, int firstTile, int tiles, float* v)
    {
        float* m = v + (Winograd.Positions * InputStride);
        float* edge = m + (Winograd.Positions * OutputStride);
        int left = FirstTile, right = left + TilesAcross;
        (int firstDown, int firstAcross) = Math.DivRem(firstTile, TilesAcross);
        firstAcross += left;
        for (int i = 0, down = firstDown, across = firstAcross; i < tiles; down++, across = left)
        {
            int run = Math.Min(tiles - i, right - across);
            TransformInputs(first + (down * Winograd.Tile), across, run, v + (i * _input.Channels));
            i += run;
        }

        Fetch fetch = new(this, first + (firstDown * Winograd.Tile), firstAcross, tiles, (_doubled ? 25 : 36) * _weights.PaddedOutputs / MatrixKernel<TLanes, TVector>.PanelColumns);
        int columns = MatrixKernel<TLanes, TVector>.PanelColumns;
        for (int position = 0; position < Winograd.Positions; position++)
        {
            if (!_doubled || Winograd.IsUsedAfterDoubling(position))
            {
                for (int column = 0; column < _weights.PaddedOutputs; column += columns)
                {
                    fetch.Share();
                    MatrixKernel<TLanes, TVector>.MultiplyPanel(
                        v + (position * InputStride), _input.Channels, tiles, _weights.Matrix(position) + ((nint)column * _weights.Inputs), _weights.Inputs,
                        _weights.Initial(position) + column, 0, m + (position * OutputStride) + column, _weights.PaddedOutputs);
                }
            }
        }

        for (int i = 0, down = firstDown, across = firstAcross; i < tiles; down++, across = left)
        {
            int run = Math.Min(tiles - i, right - across);
            TransformOutputs(m + (i * _weights.PaddedOutputs), first + (down * Winograd.Tile), across, run, edge);
            i += run;
        }
    }

    // The rows of inputs of the tiles whose first output row is y, from the first pixel of a tile on.
    Six InputRows(int y, int across) => _doubled
        ? new Six(_input, (y / 2) - 1, 4, ((2 * across) - 1) * (nint)_input.Channels)
        : new Six(_input, y - 1, 6, ((4 * across) - 1) * (nint)_input.Channels);

    void TransformInputs(int y, int across, int tiles, float* v)
    {
        int channels = _input.Channels;
        nint step = (_doubled ? 2 : 4) * channels;
        Six d = InputRows(y, across);
        for (int i = 0; i < tiles; i++, v += channels, d = d.Moved(step))
        {
            if (_doubled)
            {
                WinogradKernel<TLanes, TVector>.TransformDoubledInput(d, channels, v, InputStride);
            }
            else
            {
                WinogradKernel<TLanes, TVector>.TransformInput(d, channels, v, InputStride);
            }
        }
    }

    // A tile that hangs over the right or lower border goes through a buffer: around the picture all must stay zero.
    void TransformOutputs(float* m, int y, int across, int tiles, float* edge)
    {
        int channels = _output.Channels;
        nint step = Winograd.Tile * channels;
        int rows = Math.Min(Winograd.Tile, _output.Height - y);
        Six to = new Six(_output, y, rows, across * step), residual = _residual is null ? default : new Six(_residual, y, Winograd.Tile, across * step);
        Six corner = new(edge, step);
        for (int x = across * Winograd.Tile; tiles > 0; tiles--, x += Winograd.Tile, m += _weights.PaddedOutputs)
        {
            int columns = Math.Min(Winograd.Tile, _output.Width - x);
            bool whole = rows == Winograd.Tile && columns == Winograd.Tile;
            WinogradKernel<TLanes, TVector>.TransformOutput(m, OutputStride, _doubled, channels, residual, _relu, whole ? to : corner);
            for (int row = 0; !whole && row < rows; row++)
            {
                new ReadOnlySpan<float>(edge + (row * step), columns * channels).CopyTo(new Span<float>(to[row], columns * channels));
            }

            to = to.Moved(step);
            residual = _residual is null ? residual : residual.Moved(step);
        }
    }

    /// <summary>
    /// While the products run, brings into the second-level cache what the transforms around them wait for: the inputs of the
    /// next tiles of the row, and this batch's residuals and places of output; a 36th part before each product.
    /// </summary>
    /// <remarks>Only a hint, and for neighbouring tiles of one row only: addresses beyond it do no harm.</remarks>
    struct Fetch
    {
        const int Line = 16;

        readonly Six _inputs;
        readonly Six _residuals;
        readonly Six _outputs;
        readonly nint _inputLength;
        readonly nint _outputLength;
        readonly nint _inputShare;
        readonly nint _outputShare;
        nint _input;
        nint _output;

        public Fetch(WinogradConvolution<TLanes, TVector> layer, int y, int across, int tiles, int shares)
        {
            nint inputStep = (layer._doubled ? 2 : 4) * layer._input.Channels, outputStep = Winograd.Tile * layer._output.Channels;
            _inputs = layer.InputRows(y, across + tiles);
            _outputs = new Six(layer._output, y, Winograd.Tile, across * outputStep);
            _residuals = layer._residual is null ? default : new Six(layer._residual, y, Winograd.Tile, across * outputStep);
            _inputLength = tiles * inputStep;
            _outputLength = tiles * outputStep;
            _inputShare = (_inputLength + (Line * shares) - 1) / (Line * shares) * Line;
            _outputShare = (_outputLength + (Line * shares) - 1) / (Line * shares) * Line;
        }

        public void Share()
        {
            if (Sse.IsSupported)
            {
                nint end = Math.Min(_input + _inputShare, _inputLength);
                for (; _input < end; _input += Line)
                {
                    Prefetch(_inputs, _input);
                }

                end = Math.Min(_output + _outputShare, _outputLength);
                for (; _output < end; _output += Line)
                {
                    Prefetch(_outputs, _output);
                    if (_residuals.Row0 != null)
                    {
                        Prefetch(_residuals, _output);
                    }
                }
            }
        }

        static void Prefetch(in Six rows, nint at)
        {
            Sse.Prefetch1(rows.Row0 + at);
            Sse.Prefetch1(rows.Row1 + at);
            Sse.Prefetch1(rows.Row2 + at);
            Sse.Prefetch1(rows.Row3 + at);
            if (rows.Row4 != null)
            {
                Sse.Prefetch1(rows.Row4 + at);
                Sse.Prefetch1(rows.Row5 + at);
            }
        }
    }
}

/// <summary>
/// A 3x3 convolution's weights as <see cref="WinogradConvolution{TLanes, TVector}"/> reads them: transformed, for every position
/// the matrix inputs x outputs, packed for <see cref="MatrixKernel{TLanes, TVector}"/>. All threads read the same.
/// </summary>
sealed unsafe class WinogradWeights<TLanes, TVector> : INativeMemory
    where TLanes : ILanes<TVector>
    where TVector : struct
{
    /// <summary>Floats between positions beyond the matrix: keeps 36 positions out of the same cache sets.</summary>
    const int Padding = 16;

    readonly NativeBuffer _buffer;

    // kernels: [output][input][3][3]; bias: one for each output, or nothing.
    public WinogradWeights(ReadOnlySpan<float> kernels, ReadOnlySpan<float> bias, int outputs, int inputs)
    {
        Inputs = inputs;
        PaddedOutputs = MatrixKernel<TLanes, TVector>.PaddedColumns(outputs);
        _buffer = new NativeBuffer((Winograd.Positions * PositionStride) + (2 * PaddedOutputs));
        Transform(kernels, outputs);
        bias.CopyTo(new Span<float>(Initial(Winograd.BiasPosition), PaddedOutputs));
    }

    public int Inputs { get; }

    /// <summary>Outputs rounded up to whole panels.</summary>
    public int PaddedOutputs { get; }

    public long ByteLength => _buffer.ByteLength;

    /// <summary>Floats from one position's matrix to the next.</summary>
    nint PositionStride => (Inputs * (nint)PaddedOutputs) + Padding;

    /// <summary>A position's matrix.</summary>
    public float* Matrix(int position) => _buffer.Pointer + (position * PositionStride);

    /// <summary>What the sums of a position start from: the bias at one of them, zeros elsewhere.</summary>
    public float* Initial(int position) => Matrix(Winograd.Positions) + (position == Winograd.BiasPosition ? PaddedOutputs : 0);

    public void Dispose() => _buffer.Dispose();

    // G g Gt of a panel's outputs at a time, [3][3][output] beside each other for it.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    void Transform(ReadOnlySpan<float> kernels, int outputs)
    {
        int columns = MatrixKernel<TLanes, TVector>.PanelColumns;
        float* g = stackalloc float[9 * columns];
        for (int panel = 0; panel < PaddedOutputs; panel += columns)
        {
            for (int input = 0; input < Inputs; input++)
            {
                for (int column = 0; column < Math.Min(columns, outputs - panel); column++)
                {
                    ReadOnlySpan<float> kernel = kernels.Slice((((panel + column) * Inputs) + input) * 9, 9);
                    for (int tap = 0; tap < 9; tap++)
                    {
                        g[(tap * columns) + column] = kernel[tap];
                    }
                }

                float* u = _buffer.Pointer + ((nint)panel * Inputs) + (input * columns);
                for (int column = 0; column < columns; column += TLanes.Count)
                {
                    WinogradKernel<TLanes, TVector>.TransformKernel(g + column, columns, u + column, PositionStride);
                }
            }
        }
    }
}
