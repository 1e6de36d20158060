using LatentBridge.Decoders;
using LatentBridge.Files;
using LatentBridge.Imaging.Quality;
using LatentBridge.Latents;

namespace LatentBridge.Fitting;

/// <summary>
/// Fits maps from a cell's channels to its colour: show it pairs of latent and picture, some of them held out, then <see cref="Solve"/>.
/// </summary>
/// <remarks>Memory does not grow with the pairs. The same pairs in the same order and the same seed give the same map.</remarks>
public sealed class ColourFit
{
    /// <summary>Cells kept for training perceptrons, and as many for measuring; fewer where each has more than 128 inputs.</summary>
    const int SampleCapacity = 1 << 17;

    const int SampleValues = 1 << 24;

    /// <summary>Cells whose neighbours are laid out at a time, so that memory does not grow with a picture.</summary>
    const int NeighbourhoodsAtATime = 1 << 14;

    readonly int _channels;
    readonly int _side;
    readonly int _inputs;
    readonly int _seed;
    readonly NormalEquations _equations;
    readonly CellSample _training;
    readonly CellSample _heldOut;

    /// <summary>Makes one.</summary>
    /// <param name="channels">Channels of a cell, unpacked.</param>
    /// <param name="degree">The highest degree that will be asked for: 1, 2 or 3.</param>
    /// <param name="seed">What the samples and a perceptron's first weights follow from.</param>
    /// <param name="side">1 for maps of a cell; 3, with a degree of 1, for maps of the 3 x 3 cells around it.</param>
    /// <exception cref="LatentBridgeException">A polynomial of that degree has too many terms.</exception>
    public ColourFit(int channels, int degree, int seed = 0, int side = 1)
    {
        if (side != 1 && (side != Neighbourhood.Side || degree != 1))
        {
            throw new ArgumentException($"Maps of {side} x {side} cells and degree {degree}: expected 1 x 1, or {Neighbourhood.Side} x {Neighbourhood.Side} and degree 1.", nameof(side));
        }

        ArgumentOutOfRangeException.ThrowIfLessThan(channels, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(degree, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(degree, 3);
        (_channels, _side, _inputs, _seed) = (channels, side, channels * side * side, seed);
        if (PolynomialTerms.Count(_inputs, degree) is var terms and > NormalEquations.MaximumTerms)
        {
            throw new LatentBridgeException($"A polynomial of degree {degree} in {channels} channels has {terms} terms; at most {NormalEquations.MaximumTerms} can be fitted. Fit a lower degree or a perceptron.");
        }

        _equations = new(_inputs, degree);
        int capacity = Math.Min(SampleCapacity, SampleValues / _inputs);
        _training = new(_inputs, capacity, seed);
        _heldOut = new(_inputs, capacity, seed + 1);
    }

    /// <summary>Cells shown for fitting.</summary>
    public long TrainingCellCount => _equations.CellCount;

    /// <summary>Shows it a pair.</summary>
    /// <param name="planes">[C, cells] in the sampler's scale.</param>
    /// <param name="rgb">A colour for each cell, RGB24.</param>
    /// <param name="heldOut">True to measure with it, false to fit to it.</param>
    /// <param name="threads">Threads it may use, at least 1.</param>
    /// <param name="width">Cells of a row; only where maps look at 3 x 3 cells.</param>
    /// <exception cref="ArgumentException">The lengths do not fit.</exception>
    /// <exception cref="LatentBridgeException">A value is NaN or infinite; nothing of the pair was taken.</exception>
    public void Add(ReadOnlyMemory<float> planes, ReadOnlyMemory<byte> rgb, bool heldOut, int threads = 1, int width = 0)
    {
        if (rgb.Length == 0 || rgb.Length % 3 != 0 || planes.Length != (long)_channels * rgb.Length / 3)
        {
            throw new ArgumentException($"{planes.Length} values and {rgb.Length} bytes given; {_channels} channels and 3 bytes a cell were expected.", nameof(planes));
        }

        if (_side > 1 && (width < 1 || rgb.Length / 3 % width != 0))
        {
            throw new ArgumentException($"Rows of {width} cells do not make {rgb.Length / 3} cells.", nameof(width));
        }

        int odd = planes.Span.IndexOfAnyExceptInRange(-1e6f, 1e6f);
        if (odd >= 0)
        {
            throw new LatentBridgeException($"Value {odd} of the latent is {planes.Span[odd]}; finite numbers within a million of 0 were expected. Leave this pair out.");
        }

        int cells = rgb.Length / 3;
        for (int start = 0; _side > 1 && start < cells; start += NeighbourhoodsAtATime)
        {
            int count = Math.Min(NeighbourhoodsAtATime, cells - start);
            float[] neighbours = new float[_inputs * count];
            LayOutNeighbours(new(planes.Span, _channels, cells / width, width), start, count, neighbours, count);
            Take(neighbours, rgb.Slice(3 * start, 3 * count), heldOut, threads);
        }

        if (_side == 1)
        {
            Take(planes, rgb, heldOut, threads);
        }
    }

    void Take(ReadOnlyMemory<float> planes, ReadOnlyMemory<byte> rgb, bool heldOut, int threads)
    {
        if (heldOut)
        {
            _heldOut.Add(planes.Span, rgb.Span);
        }
        else
        {
            _equations.Add(planes, rgb, threads);
            _training.Add(planes.Span, rgb.Span);
        }
    }

    /// <summary>Lays out the neighbours of <paramref name="count"/> cells from <paramref name="start"/> on: 9 C rows, <paramref name="stride"/> apart.</summary>
    static void LayOutNeighbours(in LatentPlanes latent, int start, int count, Span<float> rows, int stride)
    {
        int width = latent.Width;
        for (int cell = start; cell < start + count;)
        {
            (int y, int from) = (cell / width, cell % width);
            int length = Math.Min(width - from, start + count - cell);
            int to = cell - start;
            for (int channel = 0; channel < latent.Channels; channel++)
            {
                ReadOnlySpan<float> plane = latent.Plane(channel);
                for (int down = -1; down <= 1; down++, to += Neighbourhood.Side * stride)
                {
                    ReadOnlySpan<float> source = plane.Slice(Math.Clamp(y + down, 0, latent.Height - 1) * width, width);
                    Span<float> left = rows.Slice(to, length), middle = rows.Slice(to + stride, length), right = rows.Slice(to + (2 * stride), length);
                    source.Slice(from, length).CopyTo(middle);
                    middle[..^1].CopyTo(left[1..]);
                    left[0] = source[Math.Max(0, from - 1)];
                    middle[1..].CopyTo(right);
                    right[^1] = source[Math.Min(width - 1, from + length)];
                }
            }

            cell += length;
        }
    }

    /// <summary>Fits a polynomial to all pairs that are not held out.</summary>
    /// <param name="kind">Not a perceptron; <see cref="ColourMapKind.Linear3x3"/> where maps look at 3 x 3 cells, and only there.</param>
    /// <param name="ridge">At least 0; how much small coefficients are preferred, see <c>docs/decoders.md</c>.</param>
    /// <exception cref="LatentBridgeException">There are too few cells, or the equations are singular.</exception>
    public FittedMap Solve(ColourMapKind kind, double ridge = 1e-5)
    {
        int degree = kind switch
        {
            ColourMapKind.LinearWithoutBias or ColourMapKind.Linear => 1,
            ColourMapKind.Quadratic => 2,
            ColourMapKind.Cubic => 3,
            ColourMapKind.Linear3x3 => 1,
            _ => throw new ArgumentException("A perceptron is trained, not solved.", nameof(kind)),
        };
        if (kind == ColourMapKind.Linear3x3 != (_side == Neighbourhood.Side))
        {
            throw new ArgumentException($"This fit is of {_side} x {_side} cells.", nameof(kind));
        }

        return FittedMap.Of(kind, _inputs, _equations.Solve(degree, kind != ColourMapKind.LinearWithoutBias, ridge));
    }

    /// <summary>Trains a perceptron C-H-H-3, or 9C-H-H-3 where maps look at 3 x 3 cells, on a sample of the pairs that are not held out.</summary>
    /// <param name="hidden">H, 1 to 64.</param>
    /// <param name="steps">Batches of 512 cells.</param>
    /// <param name="cancellation">Looked at before each step.</param>
    /// <exception cref="LatentBridgeException">There are fewer cells than numbers to learn.</exception>
    public FittedMap Train(int hidden = 12, int steps = 8000, CancellationToken cancellation = default)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(hidden, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(hidden, 64);
        int numbers = (hidden * (_inputs + 1)) + (hidden * (hidden + 1)) + (3 * (hidden + 1));
        if (_training.Count < numbers)
        {
            throw new LatentBridgeException($"Too few pairs: {_training.Count} cells for a perceptron of {numbers} numbers. Give more or larger pictures, or fewer --hidden.");
        }

        PerceptronTrainer trainer = new(_inputs, hidden, _seed);
        trainer.Train(_training.Planes(), _training.Rgb(), steps, cancellation);
        (string Name, int Inputs, int Outputs)[] layers = [("in_proj", _inputs, hidden), ("hidden_layers.0", hidden, hidden), ("out_proj", hidden, 3)];
        return new(_side == 1 ? ColourMapKind.Mlp : ColourMapKind.Mlp3x3, [.. layers.SelectMany((layer, i) => (StoredTensor[])
        [
            StoredTensor.FromValues(layer.Name + ".weight", trainer.Weights(i), i == 0 ? FirstLayer(hidden) : [layer.Outputs, layer.Inputs]),
            StoredTensor.FromValues(layer.Name + ".bias", trainer.Biases(i), [layer.Outputs]),
        ])]);
    }

    /// <summary>PSNR in dB of a decoder of one pixel per cell over the cells held out, as bytes are shown.</summary>
    /// <exception cref="LatentBridgeException">No pair is held out.</exception>
    public double HeldOutPsnr(ILatentDecoder decoder)
    {
        if (_heldOut.Count == 0)
        {
            throw new LatentBridgeException("No pair is held out, so nothing can be measured. At least two pairs are needed.");
        }

        if (_side == 1)
        {
            byte[] decoded = new byte[3 * _heldOut.Count];
            decoder.Decode(new(_heldOut.Planes(), _channels, 1, _heldOut.Count), decoded, 1, CancellationToken.None);
            return ImageQuality.Psnr(_heldOut.Rgb(), decoded);
        }

        // Each cell is the middle of a latent of its 3 x 3 neighbours.
        float[] planes = _heldOut.Planes(), patch = new float[_inputs];
        byte[] patchRgb = new byte[3 * _side * _side], middles = new byte[3 * _heldOut.Count];
        for (int cell = 0; cell < _heldOut.Count; cell++)
        {
            for (int i = 0; i < patch.Length; i++)
            {
                patch[i] = planes[(i * _heldOut.Count) + cell];
            }

            decoder.Decode(new(patch, _channels, _side, _side), patchRgb, 1, CancellationToken.None);
            patchRgb.AsSpan(patchRgb.Length / 2 - 1, 3).CopyTo(middles.AsSpan(3 * cell));
        }

        return ImageQuality.Psnr(_heldOut.Rgb(), middles);
    }

    long[] FirstLayer(int outputs) => _side == 1 ? [outputs, _inputs] : [outputs, _channels, _side, _side];
}
