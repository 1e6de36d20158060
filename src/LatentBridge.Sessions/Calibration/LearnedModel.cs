using System.Globalization;
using LatentBridge.Files;
using LatentBridge.Fitting;
using LatentBridge.Formats;

namespace LatentBridge.Sessions;

/// <summary>A model of which colours were learned.</summary>
/// <param name="Model">What its UI calls it.</param>
/// <param name="Format">The latents' format.</param>
/// <param name="Map">What was learned.</param>
/// <param name="When">When its last picture was learned from, local time.</param>
public sealed record LearnedModel(string Model, LatentFormat Format, CalibratedMap Map, DateTime When)
{
    /// <summary>Those that are kept, the newest first. Damaged files are left out.</summary>
    /// <param name="data">As in <c>hello</c>; null: the user's own folder.</param>
    public static IReadOnlyList<LearnedModel> All(string? data = null) =>
        CalibrationStore.FolderIn(data) is { } folder && Directory.Exists(folder)
            ? [.. Directory.GetFiles(folder, "*" + CalibrationStore.Ending).Select(TryRead).OfType<LearnedModel>().OrderByDescending(learned => learned.When)]
            : [];

    static LearnedModel? TryRead(string path)
    {
        try
        {
            (LatentFormat? format, string? model) = Name(path);
            return format is not null && model is not null && Calibration.Read(path, format.PlaneChannels).Solve() is { } map ? new(model, format, map, File.GetLastWriteTime(path)) : null;
        }
        catch (Exception e) when (e is LatentBridgeException or IOException)
        {
            return null;
        }
    }

    static (LatentFormat? Format, string? Model) Name(string path)
    {
        using TensorFile file = TensorFile.Open(path);
        string format = file.Metadata.GetValueOrDefault("latent_format") ?? "";
        bool hasChannels = int.TryParse(file.Metadata.GetValueOrDefault("channels"), NumberStyles.None, CultureInfo.InvariantCulture, out int channels);
        return (LatentFormats.Find(format) ?? (hasChannels && channels > 0 ? LatentFormat.Unknown(channels, 2) : null), file.Metadata.GetValueOrDefault("model"));
    }
}
