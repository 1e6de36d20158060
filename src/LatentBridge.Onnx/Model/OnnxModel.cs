using LatentBridge.Latents;

namespace LatentBridge.Onnx.Model;

/// <summary>An ONNX model that makes a picture of a latent: which of its values is which, in what order and scale.</summary>
sealed record OnnxModel
{
    /// <summary>Multiply-adds per cell from which on a decoder is taken for a full VAE: it reads the VAE's scale, and its picture is the best there is.</summary>
    const double FullVae = 50e6;

    public required string Path { get; init; }

    public required OnnxValue Input { get; init; }

    public required OnnxValue Output { get; init; }

    public required int Channels { get; init; }

    /// <summary>True for [batch, height, width, channels].</summary>
    public required bool IsInputChannelsLast { get; init; }

    /// <summary>The same of the output.</summary>
    public required bool IsOutputChannelsLast { get; init; }

    public required int PixelsPerCell { get; init; }

    public required OnnxCost Cost { get; init; }

    public required OnnxNotes Notes { get; init; }

    /// <summary>The scale it reads, where the notes do not say.</summary>
    public LatentSpace Space => Notes.Space ?? (Cost.MultiplyAddsPerCell > FullVae ? LatentSpace.Vae : LatentSpace.Sampler);

    /// <summary>Its place in the order of quality: a full VAE before all, another between the tiny decoders and TAESD.</summary>
    public int Quality => Notes.Quality ?? (Cost.MultiplyAddsPerCell > FullVae ? 90 : 65);

    /// <summary>Cells from top to bottom and from left to right of the only latents it takes; -1 where any will do.</summary>
    public (int Height, int Width) OnlySize => IsInputChannelsLast ? ((int)Input.Axes![1], (int)Input.Axes[2]) : ((int)Input.Axes![2], (int)Input.Axes[3]);

    /// <summary>The axes of an input or output.</summary>
    public static long[] Axes(bool isChannelsLast, int channels, int height, int width) => isChannelsLast ? [1, height, width, channels] : [1, channels, height, width];

    /// <summary>Reads what a model is.</summary>
    /// <exception cref="InvalidDataException">It is damaged, or makes no picture of a latent; the message says what was found.</exception>
    /// <exception cref="IOException">It cannot be read.</exception>
    public static OnnxModel Read(string path)
    {
        OnnxFile file = OnnxFile.Read(path);
        return Of(file, OnnxNotes.Read(path, file), path);
    }

    /// <summary>What a file is that was read, with the notes on it.</summary>
    /// <exception cref="InvalidDataException">It makes no picture of a latent; the message says what was found.</exception>
    public static OnnxModel Of(OnnxFile file, OnnxNotes notes, string path)
    {
        OnnxValue input = FindInput(file, notes);
        bool isChannelsLast = IsChannelsLast(input, notes);
        long channels = input.Axes![isChannelsLast ? 3 : 1];
        channels = channels > 0 ? channels : FirstConvolution(file)
            ?? throw new InvalidDataException($"its input {input} does not fix the number of channels. Export it with only batch, height and width dynamic");
        OnnxValue output = FindOutput(file, notes, channels);
        OnnxCost cost = OnnxCost.Of(file, output.Name);
        return new()
        {
            Path = path,
            Input = input,
            Output = output,
            Channels = (int)channels,
            IsInputChannelsLast = isChannelsLast,
            IsOutputChannelsLast = output.Axes is [_, not 3, _, 3] || (output.Axes is null && isChannelsLast),
            PixelsPerCell = notes.PixelsPerCell ?? Enlargement(input, isChannelsLast, output) ?? Math.Clamp((int)Math.Round(cost.PixelsPerCell), 1, 64),
            Cost = cost,
            Notes = notes,
        };
    }

    static OnnxValue FindInput(OnnxFile file, OnnxNotes notes)
    {
        OnnxValue[] inputs = [.. file.Inputs];
        OnnxValue input = inputs switch
        {
            [] => throw new InvalidDataException("it has no input; a decoder reads one latent"),
            [var only] when notes.Input is null || notes.Input == only.Name => only,
            [var only] => throw new InvalidDataException($"its input is {only}; the JSON file next to it names \"{notes.Input}\""),
            _ => throw new InvalidDataException($"it has {inputs.Length} inputs ({string.Join(", ", (object[])inputs)}); a decoder reads one latent and nothing else"),
        };
        return input switch
        {
            { ElementType: not (OnnxFile.F32 or OnnxFile.F16) } => throw new InvalidDataException($"its input is {input}; F32 or F16 was expected"),
            { Axes: not { Length: 4 } } => throw new InvalidDataException($"its input is {input}; a latent has four axes, [batch, channels, height, width] or [batch, height, width, channels]"),
            { Axes: [> 1, ..] } => throw new InvalidDataException($"its input is {input}: always {input.Axes[0]} latents at once. Export it with a dynamic batch, or a batch of 1"),
            _ => input,
        };
    }

    // A latent has few channels and many cells; where both ends of the shape are fixed, the smaller one is the channels.
    static bool IsChannelsLast(OnnxValue input, OnnxNotes notes) =>
        notes.IsChannelsLast ?? input.Axes is [_, < 0, _, > 0] or [_, > 0, _, > 0] && (input.Axes[1] < 0 || input.Axes[3] < input.Axes[1]);

    static long? FirstConvolution(OnnxFile file) => file.Nodes
        .Where(node => node.Operation == "Conv" && node.Inputs.Count > 1)
        .Select(node => file.Weights.GetValueOrDefault(node.Inputs[1]) is [_, var inputs, ..] ? inputs * node.Integers.GetValueOrDefault("group", [1])[0] : (long?)null)
        .FirstOrDefault();

    static OnnxValue FindOutput(OnnxFile file, OnnxNotes notes, long channels)
    {
        OnnxValue? output = notes.Output is { } name
            ? file.Outputs.Find(value => value.Name == name) ?? throw new InvalidDataException($"it has no output \"{name}\", which the JSON file next to it names; it has {string.Join(", ", file.Outputs)}")
            : file.Outputs.Find(value => value.Axes is [_, 3, _, _] or [_, _, _, 3]) ?? file.Outputs.Find(value => value.Axes is null or [_, < 0, _, < 0]);
        return output switch
        {
            null when channels == 3 => throw new InvalidDataException("it turns pictures into latents; previews go the other way"),
            null => throw new InvalidDataException($"none of its outputs is a picture of three colours, [batch, 3, height, width] or [batch, height, width, 3]; it has {string.Join(", ", file.Outputs)}"),
            { ElementType: not (OnnxFile.F32 or OnnxFile.F16 or OnnxFile.U8) } => throw new InvalidDataException($"its output is {output}; F32, F16 or U8 was expected"),
            _ => output,
        };
    }

    static int? Enlargement(OnnxValue input, bool isChannelsLast, OnnxValue output)
    {
        long cells = input.Axes![isChannelsLast ? 2 : 3];
        long pixels = output.Axes is null ? -1 : output.Axes is [_, not 3, _, 3] ? output.Axes[2] : output.Axes[3];
        return cells > 0 && pixels > 0 && pixels % cells == 0 ? (int)(pixels / cells) : null;
    }
}
