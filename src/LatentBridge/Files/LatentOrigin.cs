using System.Globalization;
using System.Text.RegularExpressions;
using LatentBridge.Formats;
using LatentBridge.Latents;

namespace LatentBridge.Files;

/// <summary>What a file says of its latent beside the values: format, scale, size; each with the place where it stands.</summary>
/// <remarks>
/// Trainers store the VAE's output (VAE's scale) or what they train on (sampler's scale); which one is a habit of each program, noted here.
/// Sources: kohya-ss/sd-scripts library/strategy_*.py, kohya-ss/musubi-tuner dataset/architectures.py, ostris/ai-toolkit
/// toolkit/dataloader_mixins.py, Nerogar/OneTrainer, Lightricks/LTX-2.
/// </remarks>
sealed partial record LatentOrigin
{
    /// <summary>kohya's <c>name_WxH_FAMILY.npz</c> and <c>name_FAMILY.npz</c>.</summary>
    static readonly Dictionary<string, (string Format, LatentSpace Space)> Kohya = new(StringComparer.OrdinalIgnoreCase)
    {
        ["sd"] = ("SD15", LatentSpace.Vae),
        ["sdxl"] = ("SDXL", LatentSpace.Vae),
        ["sd3"] = ("SD3", LatentSpace.Vae),
        ["flux"] = ("Flux", LatentSpace.Sampler),
        ["lumina"] = ("Flux", LatentSpace.Sampler),
        ["anima"] = ("Wan21", LatentSpace.Sampler),
    };

    /// <summary>musubi-tuner's <c>architecture</c>; the start of the name counts.</summary>
    static readonly (string Start, string Format, LatentSpace Space)[] Musubi =
    [
        ("hunyuan_video_1_5", "HunyuanVideo15", LatentSpace.Sampler),
        ("hunyuan_video", "HunyuanVideo", LatentSpace.Vae),
        ("framepack", "HunyuanVideo", LatentSpace.Sampler),
        ("kandinsky5", "HunyuanVideo", LatentSpace.Sampler),
        ("wan", "Wan21", LatentSpace.Sampler),
        ("qwen_image", "Wan21", LatentSpace.Sampler),
        ("krea2", "Wan21", LatentSpace.Sampler),
        ("flux_2", "Flux2", LatentSpace.Sampler),
        ("flux", "Flux", LatentSpace.Sampler),
        ("z_image", "Flux", LatentSpace.Vae),
        ("minimax_h3", "MiniMaxH3Video", LatentSpace.Sampler),
    ];

    /// <summary>ai-toolkit's <c>latent_space_version</c>, letters and digits only; the start of the name counts. All in the sampler's scale.</summary>
    static readonly (string Start, string Format)[] AiToolkit =
    [
        ("sdxl", "SDXL"), ("sd3", "SD3"), ("sd1", "SD15"), ("sd2", "SD15"),
        ("flux2", "Flux2"), ("flux", "Flux"), ("chromaradiance", "ChromaRadiance"), ("chroma", "Flux"), ("lumina", "Flux"), ("hidream", "Flux"),
        ("omnigen", "Flux"), ("zimage", "Flux"), ("wan225b", "Wan22"), ("wan22ti2v5b", "Wan22"), ("wan", "Wan21"), ("qwenimage", "Wan21"), ("ltx", "LTXV"),
    ];

    const long LtxChannels = 128;

    /// <summary>The latent format's id, and where it stands; null when nothing says it.</summary>
    public (string Id, string Why)? Format { get; set; }

    /// <summary>The scale, and why that one; null when nothing says it.</summary>
    public (LatentSpace Space, string Why)? Space { get; private set; }

    /// <summary>The size in cells.</summary>
    public SaidSize Size { get; private set; }

    /// <summary>Where <see cref="Size"/> stands.</summary>
    public string SizeWhy { get; private set; } = "";

    /// <summary>True for ComfyUI's <c>.latent</c> without a version key: SD1's sampler scale, to be divided by 0.18215.</summary>
    public bool IsLegacyComfy { get; private set; }

    /// <summary>What this file says of this tensor.</summary>
    public static LatentOrigin Of(TensorFile file, TensorEntry entry, string path)
    {
        LatentOrigin origin = new();
        origin.ReadKey(file, entry);
        origin.ReadMetadata(file);
        origin.ReadNumbers(file, entry);
        origin.ReadName(file, entry, path);
        return origin;
    }

    void ReadKey(TensorFile file, TensorEntry entry)
    {
        if (SizedKey().Match(entry.Name) is { Success: true } sized)
        {
            long[] sizes = [.. sized.Groups[1].Value.Split('x').Select(text => long.TryParse(text, CultureInfo.InvariantCulture, out long size) ? size : 0)];
            Size = sizes is [var height, var width] ? new(null, height, width) : sizes is [var frames, var rows, var columns] ? new(frames, rows, columns) : default;
            SizeWhy = $"the key says {sized.Groups[1].Value}";
        }

        if (file.Kind == TensorFileKind.Safetensors && entry.Name == LatentFile.ComfyKey)
        {
            IsLegacyComfy = file.Find(LatentFile.ComfyVersionKey) is null;
            Space = (LatentSpace.Vae, "ComfyUI's .latent files are in it");
        }
        else if (entry.Name == LatentFile.OneTrainerKey || entry.Name.EndsWith($".{LatentFile.OneTrainerKey}", StringComparison.Ordinal))
        {
            Space = (LatentSpace.Vae, "OneTrainer's caches (latent_image) are in it");
        }
        else if (file.Kind == TensorFileKind.Npz && entry.Name.StartsWith("latents", StringComparison.Ordinal))
        {
            Space = (LatentSpace.Vae, "kohya's caches (latents in .npz) are in it");
        }
    }

    void ReadMetadata(TensorFile file)
    {
        if (file.Metadata.GetValueOrDefault("latent_format") is { } named)
        {
            Format = (named, "named by the file");
        }

        if (file.Metadata.GetValueOrDefault("architecture") is { } architecture
            && Array.Find(Musubi, known => architecture.StartsWith(known.Start, StringComparison.OrdinalIgnoreCase)) is { Start: not null } musubi)
        {
            string why = $"the metadata's architecture is {TensorEntry.Shorten(architecture)}";
            Format ??= (musubi.Format, why);
            Space = (musubi.Space, why);
        }

        if (file.Metadata.GetValueOrDefault("latent_space_version") is { } version)
        {
            string letters = string.Concat(version.Where(char.IsAsciiLetterOrDigit)).ToLowerInvariant();
            string why = $"the metadata's latent_space_version is {TensorEntry.Shorten(version.Trim('"'))}";
            if (Array.Find(AiToolkit, known => letters.StartsWith(known.Start, StringComparison.Ordinal)) is { Start: not null } known)
            {
                Format ??= (known.Format, why);
            }

            Space = (LatentSpace.Sampler, "ai-toolkit's caches are in it");
        }
    }

    /// <summary>LTX-Video's trainers: <c>num_frames</c>, <c>height</c> and <c>width</c> beside a clip or its tokens, in the sampler's scale.</summary>
    /// <remarks>Source: Lightricks/LTX-Video-Trainer, scripts/process_videos.py (tokens); Lightricks/LTX-2, packages/ltx-trainer/scripts/process_videos.py (clips).</remarks>
    void ReadNumbers(TensorFile file, TensorEntry entry)
    {
        if (Number(file, "num_frames") is { } frames && Number(file, "height") is { } height && Number(file, "width") is { } width
            && entry.Dimensions is [_, LtxChannels] or [LtxChannels, _, _, _] && (Int128)frames * height * width * LtxChannels == entry.Length)
        {
            const string Why = "the file has LTX's num_frames, height and width";
            (Size, SizeWhy) = (new(frames, height, width), Why);
            Format ??= ("LTXV", Why);
        }
    }

    static long? Number(TensorFile file, string name) =>
        long.TryParse(file.Metadata.GetValueOrDefault(name), NumberStyles.None, CultureInfo.InvariantCulture, out long number) && number > 0 ? number : null;

    void ReadName(TensorFile file, TensorEntry entry, string path)
    {
        if (file.Kind == TensorFileKind.Npz && entry.Name.StartsWith("latent", StringComparison.Ordinal)
            && FamilyName().Match(Path.GetFileName(path)) is { Success: true } match && Kohya.TryGetValue(match.Groups[1].Value, out var family))
        {
            string why = $"the file's name ends in _{match.Groups[1].Value}";
            Format ??= (family.Format, why);
            Space = (family.Space, why);
        }
    }

    [GeneratedRegex(@"^latents_(\d+(?:x\d+){1,2})(?:_[a-z]+\d[a-z0-9_]*)?$")]
    internal static partial Regex SizedKey();

    [GeneratedRegex(@"_([a-z0-9]+)\.npz$", RegexOptions.IgnoreCase)]
    private static partial Regex FamilyName();
}
