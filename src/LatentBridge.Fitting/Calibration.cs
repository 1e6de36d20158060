using System.Globalization;
using System.Runtime.InteropServices;
using LatentBridge.Decoders;
using LatentBridge.Files;

namespace LatentBridge.Fitting;

/// <summary>Learns a colour map from the pictures of one model: sums in constant memory, no cell of any picture is kept.</summary>
/// <remarks>
/// <para>Each picture, before it is learned from, measures the map of those before it and the decoders that are there anyway. Only that is
/// honest: over blocks held out of a picture that it was fitted to, a map looks better than what was fitted to many photographs, and over the next picture it is
/// worse. The first picture has none before it; a fourth of its blocks of 8 x 8 cells stands in until the second comes.</para>
/// <para>What the pictures do not say stays as the best decoder of one pixel per cell has it: 4096 imaginary cells with its colours are learned
/// first (16 grey ones where there is no such decoder). After 2^20 cells (64 pictures of 1024 x 1024) everything before counts half, so that a model
/// replaced under the same name is forgotten in time.</para>
/// </remarks>
public sealed class Calibration
{
    const string Version = "1";
    const int ImaginaryCells = 4096;
    const int GreyCells = 16;
    const int BlockSide = 8;
    const int HeldOutBlocks = 4;
    const int MaximumCellsOfPicture = 1 << 16;
    const double CellsToForget = 1 << 20;

    /// <summary>Up to here a quadratic map is tried: of 16 channels it has 153 terms.</summary>
    const int MaximumQuadraticChannels = 16;

    /// <summary>What a quadratic map must be better than a linear one, in dB.</summary>
    const double MarginForQuadratic = 0.1;

    const double Ridge = 1e-4;
    const string MeanColour = "mean colour";
    static readonly string[] Own = ["own linear", "own quadratic"];

    readonly int _channels;
    readonly int _degree;
    readonly NormalEquations _training;

    /// <summary>What each decoder, by id, each map of ours and the picture's mean colour were off, squared, in -1..1, and over how many cells.</summary>
    readonly Dictionary<string, (double SquaredError, double Cells)> _measured = new(StringComparer.Ordinal);

    /// <summary>Starts over.</summary>
    /// <param name="channels">Channels of the planes that decoders get.</param>
    /// <exception cref="LatentBridgeException">Those are too many.</exception>
    public Calibration(int channels)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(channels, 1);
        (_channels, _degree) = (channels, channels <= MaximumQuadraticChannels ? 2 : 1);
        if (PolynomialTerms.Count(channels, _degree) > NormalEquations.MaximumTerms)
        {
            throw new LatentBridgeException($"{channels} channels are too many to learn a map for; at most {NormalEquations.MaximumTerms - 1} are supported.");
        }

        _training = new(channels, _degree);
    }

    /// <summary>Pictures it learned from.</summary>
    public int PictureCount { get; private set; }

    /// <summary>Cells it was fitted to, the imaginary ones among them.</summary>
    public long CellCount => _training.CellCount;

    /// <summary>Measures with a picture, then learns from it.</summary>
    /// <param name="pair">The latent and its picture.</param>
    /// <param name="shipped">The decoders to compare with, best first. One that fails is left out.</param>
    /// <param name="cancellation">Looked at by the decoders.</param>
    /// <exception cref="LatentBridgeException">The pair has other channels.</exception>
    public void Add(CalibrationPair pair, IReadOnlyList<ILatentDecoder> shipped, CancellationToken cancellation = default)
    {
        if (pair.Channels != _channels)
        {
            throw new LatentBridgeException($"The pair has {pair.Channels} channels, those before it had {_channels}.");
        }

        if (_training.CellCount > CellsToForget)
        {
            Forget();
        }

        int[] training = Cells(pair, block => block % HeldOutBlocks != 0), rest = Cells(pair, block => block % HeldOutBlocks == 0);
        if (PictureCount == 0)
        {
            Imagine(shipped.FirstOrDefault(decoder => decoder.Description.PixelsPerCell == 1));
            Learn(pair, training);
            Measure(pair, rest, shipped, cancellation);
            Learn(pair, rest);
        }
        else
        {
            int[] all = [.. training, .. rest];
            if (PictureCount == 1)
            {
                _measured.Clear();
            }

            Measure(pair, all, shipped, cancellation);
            Learn(pair, all);
        }

        PictureCount++;
    }

    /// <summary>The best map so far; null when there is none.</summary>
    public CalibratedMap? Solve()
    {
        if (PictureCount == 0 || !_measured.TryGetValue(MeanColour, out (double SquaredError, double Cells) mean))
        {
            return null;
        }

        (int Degree, double Psnr)? best = null;
        for (int degree = 1; degree <= _degree; degree++)
        {
            if (_measured.TryGetValue(Own[degree - 1], out var own) && IsComplete(own) && (best is null || Psnr(own) > best.Value.Psnr + MarginForQuadratic))
            {
                best = (degree, Psnr(own));
            }
        }

        if (best is not { } found || Fit(found.Degree) is not { } map)
        {
            return null;
        }

        double share = 1 - (_measured[Own[found.Degree - 1]].SquaredError / Math.Max(mean.SquaredError, double.Epsilon));
        return new(
            map, found.Psnr, Math.Max(0, share), PictureCount,
            _measured.Where(measured => IsComplete(measured.Value) && measured.Key != MeanColour && !Own.Contains(measured.Key))
                .ToDictionary(measured => measured.Key, measured => Psnr(measured.Value)));

        bool IsComplete((double SquaredError, double Cells) measured) => Math.Abs(measured.Cells - mean.Cells) < 0.5;
    }

    /// <summary>Writes what was learned; a file that is there is replaced only when the new one is complete.</summary>
    /// <param name="path">The file.</param>
    /// <param name="format">Id of the latents' format, for people.</param>
    /// <param name="model">What the model is called, for people.</param>
    /// <exception cref="LatentBridgeException">The file cannot be written.</exception>
    public void Write(string path, string format, string model) => SafetensorsWriter.Write(
        path,
        [Stored("training", _training.Packed()), .. _measured.Select(measured => Stored("measured." + measured.Key, [measured.Value.SquaredError, measured.Value.Cells]))],
        new Dictionary<string, string>
        {
            ["latentbridge_calibration"] = Version,
            ["pictures"] = PictureCount.ToString(CultureInfo.InvariantCulture),
            ["latent_format"] = format,
            ["channels"] = _channels.ToString(CultureInfo.InvariantCulture),
            ["model"] = model,
        });

    /// <summary>Reads what <see cref="Write"/> wrote.</summary>
    /// <exception cref="LatentBridgeException">The file is missing or damaged, or has another number of channels.</exception>
    public static Calibration Read(string path, int channels)
    {
        using TensorFile file = TensorFile.Open(path);
        Calibration calibration = new(channels);
        if (file.Metadata.GetValueOrDefault("latentbridge_calibration") != Version
            || !int.TryParse(file.Metadata.GetValueOrDefault("pictures"), NumberStyles.None, CultureInfo.InvariantCulture, out int pictures) || pictures == 0
            || !calibration._training.Restore(Values(file.Find("training"))))
        {
            throw Damaged();
        }

        calibration.PictureCount = pictures;
        foreach (TensorEntry entry in file.Tensors.Where(entry => entry.Name.StartsWith("measured.", StringComparison.Ordinal)))
        {
            calibration._measured[entry.Name["measured.".Length..]] =
                Values(entry) is [>= 0 and < 1e15 and var error, > 0 and < 1e15 and var cells] ? (error, cells) : throw Damaged();
        }

        return calibration;

        LatentBridgeException Damaged() => new($"{path}: is not a calibration of {channels} channels. Delete it; a new one is made.");
    }

    static StoredTensor Stored(string name, double[] values) => new(name, TensorElementType.F64, [values.Length], MemoryMarshal.AsBytes(values.AsSpan()).ToArray());

    static double[] Values(TensorEntry? entry)
    {
        if (entry is not { ElementType: TensorElementType.F64, Dimensions.Count: 1, Length: <= NormalEquations.MaximumTerms * NormalEquations.MaximumTerms })
        {
            return [];
        }

        double[] values = new double[entry.Length];
        entry.CopyBytesTo(MemoryMarshal.AsBytes(values.AsSpan()));
        return values;
    }

    static double Psnr((double SquaredError, double Cells) measured) => Math.Min(99, -10 * Math.Log10(Math.Max(1e-12, measured.SquaredError / (4 * 3 * measured.Cells))));

    void Forget()
    {
        _training.Halve();
        foreach ((string id, (double error, double cells)) in _measured.ToArray())
        {
            _measured[id] = (error / 2, cells / 2);
        }
    }

    FittedMap? Fit(int degree)
    {
        try
        {
            return FittedMap.Of(degree == 1 ? ColourMapKind.Linear : ColourMapKind.Quadratic, _channels, _training.Solve(degree, bias: true, Ridge));
        }
        catch (LatentBridgeException)
        {
            return null; // the cells do not determine one
        }
    }

    void Learn(CalibrationPair pair, int[] cells) => _training.Add(Gather(pair, cells), Colours(pair, cells), threads: 1);

    void Measure(CalibrationPair pair, int[] cells, IReadOnlyList<ILatentDecoder> shipped, CancellationToken cancellation)
    {
        Count(MeanColour, CalibrationPair.Scatter(Colours(pair, cells)));
        for (int degree = 1; degree <= _degree; degree++)
        {
            if (Fit(degree) is { } map)
            {
                using ILatentDecoder own = map.ToDecoder();
                Count(Own[degree - 1], SquaredError(own, pair, cells, cancellation));
            }
        }

        foreach (ILatentDecoder decoder in shipped)
        {
            try
            {
                Count(decoder.Description.Id, SquaredError(decoder, pair, cells, cancellation));
            }
            catch (Exception e) when (e is LatentBridgeException or ArgumentException)
            {
                // Not measured over all cells, it is not compared with any more.
            }
        }

        void Count(string id, double error)
        {
            (double SquaredError, double Cells) before = _measured.GetValueOrDefault(id);
            _measured[id] = (before.SquaredError + error, before.Cells + cells.Length);
        }
    }

    /// <summary>Learns cells that no picture has: each channel for itself of mean 0 and deviation 1, coloured by the decoder.</summary>
    void Imagine(ILatentDecoder? decoder)
    {
        Random random = new(1);
        int count = decoder is null ? GreyCells : ImaginaryCells;
        float[] planes = new float[_channels * count];
        for (int i = 0; i < planes.Length; i++)
        {
            planes[i] = (float)(Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble()));
        }

        byte[] rgb = new byte[3 * count];
        rgb.AsSpan().Fill(128);
        decoder?.Decode(new(planes, _channels, 1, count), rgb, 1, CancellationToken.None);
        _training.Add(planes, rgb, threads: 1);
    }

    /// <summary>Squared error in -1..1 of a decoder's picture, averaged over each cell.</summary>
    static double SquaredError(ILatentDecoder decoder, CalibrationPair pair, int[] cells, CancellationToken cancellation)
    {
        int side = decoder.Description.PixelsPerCell;
        byte[] picture = new byte[3L * side * side * pair.Height * pair.Width];
        decoder.Decode(pair.Latent, picture, 1, cancellation);
        double error = 0;
        foreach (int cell in cells)
        {
            (int y, int x) = Math.DivRem(cell, pair.Width);
            for (int colour = 0; colour < 3; colour++)
            {
                int sum = 0;
                for (int row = y * side; row < (y + 1) * side; row++)
                {
                    for (int column = x * side; column < (x + 1) * side; column++)
                    {
                        sum += picture[(3 * ((row * side * pair.Width) + column)) + colour];
                    }
                }

                double difference = (((double)sum / (side * side)) - pair.Rgb[(3 * cell) + colour]) / 127.5;
                error += difference * difference;
            }
        }

        return error;
    }

    /// <summary>The cells in the chosen blocks, which are numbered so that neighbours differ. Of large pictures whole blocks are left out.</summary>
    static int[] Cells(CalibrationPair pair, Func<int, bool> isChosen)
    {
        int side = Math.Clamp(Math.Min(pair.Height, pair.Width) / 4, 1, BlockSide);
        int every = 1 + (pair.Height * pair.Width / MaximumCellsOfPicture);
        List<int> cells = [];
        for (int cell = 0; cell < pair.Height * pair.Width; cell++)
        {
            (int y, int x) = Math.DivRem(cell, pair.Width);
            int block = (x / side) + (2 * (y / side));
            if (isChosen(block) && block / HeldOutBlocks % every == 0)
            {
                cells.Add(cell);
            }
        }

        return [.. cells];
    }

    static float[] Gather(CalibrationPair pair, int[] cells)
    {
        int plane = pair.Height * pair.Width;
        float[] gathered = new float[pair.Channels * cells.Length];
        for (int i = 0; i < gathered.Length; i++)
        {
            gathered[i] = pair.Planes[(i / cells.Length * plane) + cells[i % cells.Length]];
        }

        return gathered;
    }

    static byte[] Colours(CalibrationPair pair, int[] cells)
    {
        byte[] colours = new byte[3 * cells.Length];
        for (int i = 0; i < colours.Length; i++)
        {
            colours[i] = pair.Rgb[(3 * cells[i / 3]) + (i % 3)];
        }

        return colours;
    }
}
