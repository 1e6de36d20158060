using System.Runtime.InteropServices;
using LatentBridge.Formats;
using LatentBridge.Latents;

namespace LatentBridge.Files;

/// <summary>
/// Finds the latent in a file of tensors: by key, else by the usual keys, else the only tensor that looks like one. Decides its format, its
/// scale and which axis is which, and says from what.
/// </summary>
/// <remarks>
/// What the caller says comes first, then what the file says (<see cref="LatentOrigin"/>), then what is usual: the sampler's scale, and the format
/// that <see cref="FormatGuess"/> names. A <c>.latent</c> without a version key is older than the versions: its values are those of SD1's
/// sampler and are divided by 0.18215, as ComfyUI does on loading. When the space is told, the values are taken as they stand in the file.
/// Bytes of a format in pixel space are pictures: 0..255 becomes -1..1.
/// </remarks>
public static class LatentFile
{
    /// <summary>Bytes a latent may have at most: 2^30.</summary>
    public const long MaximumByteLength = 1 << 30;

    internal const string ComfyKey = "latent_tensor";
    internal const string ComfyVersionKey = "latent_format_version_0";
    internal const string OneTrainerKey = "latent_image";
    const float LegacyScale = 0.18215f;
    const int ListedAtMost = 24;
    const int LeftOutAtMost = 4;

    // What people and programs save latents under; earlier ones first.
    static readonly string[] UsualKeys = ["samples", "latent", "latents", ComfyKey, OneTrainerKey, "x0"];

    /// <summary>Reads a latent.</summary>
    /// <param name="path">Any file that <see cref="TensorFile"/> reads.</param>
    /// <param name="request">What is known of it; null: nothing.</param>
    /// <exception cref="LatentBridgeException">No such file or tensor, or more than one could be meant: the message lists them.</exception>
    public static LoadedLatent Load(string path, LatentRequest? request = null)
    {
        using var file = TensorFile.Open(path);
        return Load(file, path, request ?? new());
    }

    internal static LoadedLatent Load(TensorFile file, string path, LatentRequest request)
    {
        TensorEntry[] latents = Candidates(file);
        return Load(file, request.Key is null ? Choose(file, path, latents) : Find(file, path, request.Key), latents, path, request);
    }

    /// <summary>Reads one tensor of a file as a latent.</summary>
    /// <param name="file">The file.</param>
    /// <param name="entry">The tensor, or a row of one.</param>
    /// <param name="latents">All of the file's <see cref="Candidates"/>.</param>
    /// <param name="path">What messages call the file.</param>
    /// <param name="request">What is known; its key does not matter.</param>
    internal static LoadedLatent Load(TensorFile file, TensorEntry entry, IReadOnlyList<TensorEntry> latents, string path, LatentRequest request)
    {
        string named = $"{path}: \"{TensorEntry.Shorten(entry.Name)}\"";
        LatentOrigin origin = LatentOrigin.Of(file, entry, path);
        bool legacy = origin.IsLegacyComfy && request.Space is null;
        LatentElementType type = entry.ElementType switch
        {
            TensorElementType.F16 when !legacy => LatentElementType.F16,
            TensorElementType.BF16 when !legacy => LatentElementType.BF16,
            _ => LatentElementType.F32,
        };
        if (entry.Length == 0 || entry.Length > MaximumByteLength / type.ByteLength())
        {
            throw new LatentBridgeException($"{named} has shape {TensorLayout.Describe(entry.Dimensions)}; a latent has at least one element and at most {MaximumByteLength} bytes. Choose another tensor with --key.");
        }

        entry.CheckRepeats();
        long[] axes = [.. entry.Dimensions];
        (LatentFormat format, string reason, bool isGuess) = DecideFormat(request, origin, axes, path);
        AxisReading reading = ReadAxes(axes, request, origin, format, named, latents.Count > 1 ? file : null);
        byte[] bytes = ReadValues(entry, type, legacy, format, reading);
        LatentSpace space = request.Space ?? origin.Space?.Space ?? LatentSpace.Sampler;
        return new()
        {
            Path = path,
            Key = entry.Name,
            Bytes = bytes,
            ElementType = type,
            Axes = axes,
            AxisOrder = reading.Written,
            Shape = reading.Shape,
            Space = space,
            Format = format,
            FormatReason = reason,
            IsFormatGuessed = isGuess,
            Keys = [.. latents.Append(entry).Select(static e => e.Name).Distinct()],
            Notes = Notes(file, request, origin, format, reading, axes, space),
        };
    }

    /// <summary>How a tensor would be read: its format, and its axes in order.</summary>
    internal static (LatentFormat Format, AxisReading Reading) Plan(TensorFile file, TensorEntry entry, string path, LatentRequest request)
    {
        LatentOrigin origin = LatentOrigin.Of(file, entry, path);
        long[] axes = [.. entry.Dimensions];
        LatentFormat format = DecideFormat(request, origin, axes, path).Format;
        return (format, ReadAxes(axes, request, origin, format, $"{path}: \"{TensorEntry.Shorten(entry.Name)}\"", null));
    }

    /// <summary>Makes a latent of values that were read elsewhere.</summary>
    /// <exception cref="LatentBridgeException">There is no such format, or the axes do not fit it.</exception>
    public static LoadedLatent FromValues(string path, string formatId, long[] axes, byte[] values, LatentRequest request)
    {
        (LatentFormat format, string reason, bool isGuess) = DecideFormat(request, new() { Format = (formatId, "named by the file") }, axes, path);
        AxisReading reading = ReadAxes(axes, request, new(), format, path, null);
        byte[] bytes = reading.IsInPlace ? values : new byte[values.Length];
        reading.Arrange(values, sizeof(float), bytes);
        return new()
        {
            Path = path,
            Key = "latent",
            Bytes = bytes,
            ElementType = LatentElementType.F32,
            Axes = axes,
            AxisOrder = reading.Written,
            Shape = reading.Shape,
            Space = request.Space ?? LatentSpace.Sampler,
            Format = format,
            FormatReason = reason,
            IsFormatGuessed = isGuess,
            Keys = ["latent"],
        };
    }

    static (LatentFormat Format, string Reason, bool IsGuess) DecideFormat(LatentRequest request, LatentOrigin origin, long[] axes, string path)
    {
        if (request.FormatId is { } asked)
        {
            return (LatentFormats.Get(asked), "as asked for", false);
        }

        if (origin.Format is { } said && LatentFormats.Find(said.Id) is { } format)
        {
            return (format, said.Why, false);
        }

        FormatGuess guess = LatentFormats.Guess(axes);
        return (guess.Format, guess.Reason, true);
    }

    static AxisReading ReadAxes(long[] axes, LatentRequest request, LatentOrigin origin, LatentFormat format, string named, TensorFile? others)
    {
        if (request.Axes is { } order)
        {
            return LatentAxes.Read(axes, order, format, origin.Size, out string? wrong)
                ?? throw new LatentBridgeException($"{named} has {wrong}.");
        }

        AxisReading? reading = LatentAxes.Read(axes, format, origin.Size, out string? fault, out bool isCertain);
        return reading switch
        {
            null => throw new LatentBridgeException($"{named} has {fault}: --format, --axes{(others is null ? "" : $", or another tensor: --key. {Listing(others)}")}"),
            _ when !isCertain => throw new LatentBridgeException(
                $"{named} has axes {TensorLayout.Describe(axes)}: for format {format.Id} it may be {axes[0]} pictures of {axes[1]} channels, or a clip of {axes[1]} frames. Say which: --axes BCHW or --axes CTHW."),
            _ => reading,
        };
    }

    static byte[] ReadValues(TensorEntry entry, LatentElementType type, bool legacy, LatentFormat format, AxisReading reading)
    {
        byte[] bytes = new byte[entry.Length * type.ByteLength()];
        if (type == LatentElementType.F32)
        {
            Span<float> values = MemoryMarshal.Cast<byte, float>(bytes.AsSpan());
            entry.CopyTo(values);
            bool isPicture = entry.ElementType == TensorElementType.U8 && format.PixelSpace;
            for (int i = 0; (legacy || isPicture) && i < values.Length; i++)
            {
                values[i] = isPicture ? (values[i] / 127.5f) - 1 : values[i] / LegacyScale;
            }
        }
        else
        {
            entry.CopyBytesTo(bytes);
        }

        if (reading.IsInPlace)
        {
            return bytes;
        }

        byte[] arranged = new byte[bytes.Length];
        reading.Arrange(bytes, type.ByteLength(), arranged);
        return arranged;
    }

    /// <summary>What a person could have expected otherwise, and from what it was inferred.</summary>
    static List<string> Notes(TensorFile file, LatentRequest request, LatentOrigin origin, LatentFormat format, AxisReading reading, long[] axes, LatentSpace space)
    {
        List<string> notes = [];
        if (request.FormatId is null && origin.Format is { } said && said.Why != "named by the file")
        {
            notes.Add(LatentFormats.Find(said.Id) is null ? $"format {TensorEntry.Shorten(said.Id)} is not known ({said.Why})" : $"format {format.Id}: {said.Why}");
        }

        if (request.Axes is null && reading.Order is not ("BCHW" or "CHW" or "BCTHW" or "BCW" or "CW"))
        {
            string why = origin.Size.IsNothing ? "nothing else fits the format" : origin.SizeWhy;
            notes.Add($"axes {TensorLayout.Describe(axes)} read as {reading.Written}: {why}");
        }

        if (request.Space is null && origin.Space is { } scale)
        {
            notes.Add($"{(scale.Space == LatentSpace.Vae ? "VAE's" : "sampler's")} scale: {scale.Why}");
        }

        if (space == LatentSpace.Vae && format.Process is LatentProcess.FramePairs or LatentProcess.Unknown)
        {
            notes.Add($"the VAE's scale of format {format.Id} is not known: values are taken as they are");
        }

        IReadOnlyList<string> leftOut = file.LeftOut;
        notes.AddRange(leftOut.Take(LeftOutAtMost));
        if (leftOut.Count > LeftOutAtMost)
        {
            notes.Add($"{leftOut.Count - LeftOutAtMost} more were left out");
        }

        return notes;
    }

    static TensorEntry Find(TensorFile file, string path, string key) =>
        file.Find(key)
        ?? file.Tensors.FirstOrDefault(t => t.Name.StartsWith($"{key}.", StringComparison.Ordinal))
        ?? throw new LatentBridgeException($"{path}: there is no tensor \"{TensorEntry.Shorten(key)}\". {Listing(file)}");

    static TensorEntry Choose(TensorFile file, string path, TensorEntry[] latents)
    {
        TensorEntry? usual = latents.Where(static e => Rank(e.Name) < int.MaxValue).MinBy(static e => Rank(e.Name));
        return usual
            ?? (file.Tensors.Count == 1 ? file.Tensors[0] : null)
            ?? (latents.Length == 1 ? latents[0] : null)
            ?? throw new LatentBridgeException($"{path}: {(latents.Length == 0 ? "no tensor looks like a latent" : $"{latents.Length} tensors look like latents")}. {Listing(file)}");
    }

    /// <summary>Tensors under a usual key, else those shaped like a latent.</summary>
    internal static TensorEntry[] Candidates(TensorFile file)
    {
        TensorEntry[] usual = [.. file.Tensors.Where(static e => Rank(e.Name) < int.MaxValue && e.Dimensions.Count is >= 2 and <= LatentAxes.MaximumRank && e.Length > 0)];
        return usual.Length > 0 ? usual : [.. file.Tensors.Where(static e => LooksLikeLatent(e))];
    }

    /// <summary>
    /// How usual a name is, 0 the most: its first or last part that is no index is a usual key, or kohya's
    /// <c>latents_HxW</c>, or it has none (a bare list of latents).
    /// </summary>
    static int Rank(string name)
    {
        string[] parts = [.. name.Split('.').Where(static part => !part.All(char.IsAsciiDigit))];
        if (parts.Length == 0)
        {
            return UsualKeys.Length + 1;
        }

        int rank = Array.FindIndex(UsualKeys, key => parts[0] == key || parts[^1] == key);
        return rank >= 0 ? rank : LatentOrigin.SizedKey().IsMatch(name) ? UsualKeys.Length : int.MaxValue;
    }

    // Cells are at least 4 x 4 here, so that 3 x 3 kernels of convolutions are none; --key takes any.
    static bool LooksLikeLatent(TensorEntry entry) =>
        entry.ElementType is TensorElementType.F64 or TensorElementType.F32 or TensorElementType.F16 or TensorElementType.BF16 or TensorElementType.F8E4M3 or TensorElementType.F8E5M2
        && entry.Length > 0
        && entry.Dimensions switch
        {
            [long channels, >= 4, >= 4] => IsChannelCount(channels),
            [_, long channels, >= 4, >= 4] when IsChannelCount(channels) => true,
            [long channels, _, >= 4, >= 4] when IsChannelCount(channels) => true,
            [_, long channels, _, >= 4, >= 4] when IsChannelCount(channels) => true,
            [_, _, long channels, >= 4, >= 4] => IsChannelCount(channels),
            _ => false,
        };

    static bool IsChannelCount(long channels) => LatentFormats.All.Any(format => format.Channels == channels);

    static string Listing(TensorFile file)
    {
        string more = file.Tensors.Count > ListedAtMost ? $", and {file.Tensors.Count - ListedAtMost} more" : "";
        string all = string.Join(", ", file.Tensors.Take(ListedAtMost).Select(static e => $"{TensorEntry.Shorten(e.Name)} {TensorLayout.Describe(e.Dimensions)}"));
        string leftOut = file.LeftOut.Count > 0 ? $" {string.Join("; ", file.LeftOut.Take(LeftOutAtMost))}." : "";
        return file.Tensors.Count == 0 ? $"The file holds no tensor.{leftOut}" : $"Choose with --key: {all}{more}.";
    }
}
