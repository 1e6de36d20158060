using System.Runtime.InteropServices;
using System.Text.RegularExpressions;
using LatentBridge.Formats;
using LatentBridge.Latents;

namespace LatentBridge.Files;

/// <summary>
/// Finds the latent in a file of tensors: by key, else by the usual keys, else the only tensor that looks like one.
/// </summary>
/// <remarks>
/// Space, unless it is told: VAE for ComfyUI's <c>.latent</c> and for kohya's <c>.npz</c> caches, else the sampler's.
/// A <c>.latent</c> without a version key is older than the versions: its values are those of SD1's sampler and are divided by
/// 0.18215, as ComfyUI does on loading. When the space is told, the values are taken as they stand in the file.
/// </remarks>
public static partial class LatentFile
{
    /// <summary>Bytes a latent may have at most: 2^30.</summary>
    public const long MaximumByteLength = 1 << 30;

    const string ComfyKey = "latent_tensor";
    const string ComfyVersionKey = "latent_format_version_0";
    const float LegacyScale = 0.18215f;
    const int ListedAtMost = 24;

    // What people and programs save latents under; earlier ones first.
    static readonly string[] UsualKeys = ["samples", "latent", "latents", ComfyKey, "x0"];

    /// <summary>Reads a latent.</summary>
    /// <param name="path">Any file that <see cref="TensorFile"/> reads.</param>
    /// <param name="key">The tensor's name; of a list or dictionary of latents, its name gives the first. Null: found as above.</param>
    /// <param name="space">Which scale the values are in; null: as above.</param>
    /// <exception cref="LatentBridgeException">No such file or tensor, or more than one could be meant: the message lists them.</exception>
    public static LoadedLatent Load(string path, string? key = null, LatentSpace? space = null)
    {
        using var file = TensorFile.Open(path);
        return Load(file, path, key, space);
    }

    internal static LoadedLatent Load(TensorFile file, string path, string? key, LatentSpace? space)
    {
        TensorEntry[] latents = Candidates(file);
        TensorEntry entry = key is null ? Choose(file, path, latents) : Find(file, path, key);
        bool comfy = file.Kind == TensorFileKind.Safetensors && entry.Name == ComfyKey;
        bool legacy = comfy && space is null && file.Find(ComfyVersionKey) is null;
        LatentElementType type = entry.ElementType switch
        {
            TensorElementType.F16 when !legacy => LatentElementType.F16,
            TensorElementType.BF16 when !legacy => LatentElementType.BF16,
            _ => LatentElementType.F32,
        };
        if (entry.Length == 0 || entry.Length > MaximumByteLength / type.ByteLength())
        {
            throw new LatentBridgeException($"{path}: \"{TensorEntry.Shorten(entry.Name)}\" has shape {TensorLayout.Describe(entry.Dimensions)}; a latent has at least one element and at most {MaximumByteLength} bytes. Choose another tensor with --key.");
        }

        byte[] bytes = new byte[entry.Length * type.ByteLength()];
        if (type == LatentElementType.F32)
        {
            Span<float> values = MemoryMarshal.Cast<byte, float>(bytes.AsSpan());
            entry.CopyTo(values);
            for (int i = 0; legacy && i < values.Length; i++)
            {
                values[i] /= LegacyScale;
            }
        }
        else
        {
            entry.CopyBytesTo(bytes);
        }

        bool kohya = file.Kind == TensorFileKind.Npz && entry.Name.StartsWith("latents", StringComparison.Ordinal);
        string[] keys = [.. latents.Append(entry).Select(static e => e.Name).Distinct()];
        return new(
            path, entry.Name, bytes, type, [.. entry.Dimensions], space ?? (comfy || kohya ? LatentSpace.Vae : LatentSpace.Sampler),
            file.Metadata.GetValueOrDefault("latent_format"), keys);
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
    static TensorEntry[] Candidates(TensorFile file)
    {
        TensorEntry[] usual = [.. file.Tensors.Where(static e => Rank(e.Name) < int.MaxValue && e.Dimensions.Count is >= 2 and <= 5 && e.Length > 0)];
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
        return rank >= 0 ? rank : KohyaKey().IsMatch(name) ? UsualKeys.Length : int.MaxValue;
    }

    // Cells are at least 4 x 4 here, so that 3 x 3 kernels of convolutions are none; --key takes any.
    static bool LooksLikeLatent(TensorEntry entry) =>
        entry.ElementType is TensorElementType.F64 or TensorElementType.F32 or TensorElementType.F16 or TensorElementType.BF16
        && entry.Length > 0
        && entry.Dimensions switch
        {
            [long channels, >= 4, >= 4] => IsChannelCount(channels),
            [_, long channels, >= 4, >= 4] => IsChannelCount(channels),
            [_, long channels, _, >= 4, >= 4] => IsChannelCount(channels),
            _ => false,
        };

    static bool IsChannelCount(long channels) => LatentFormats.All.Any(format => format.Channels == channels);

    static string Listing(TensorFile file)
    {
        string more = file.Tensors.Count > ListedAtMost ? $", and {file.Tensors.Count - ListedAtMost} more" : "";
        string all = string.Join(", ", file.Tensors.Take(ListedAtMost).Select(static e => $"{TensorEntry.Shorten(e.Name)} {TensorLayout.Describe(e.Dimensions)}"));
        return file.Tensors.Count == 0 ? "The file holds no tensor." : $"Choose with --key: {all}{more}.";
    }

    [GeneratedRegex(@"^latents(_\d+(x\d+)+)?$")]
    private static partial Regex KohyaKey();
}
