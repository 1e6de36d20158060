using System.Globalization;
using LatentBridge.Host.Sheets;

namespace LatentBridge.Host.Quality;

/// <summary>The middle of each picture by each of some decoders, side by side, brought to the full picture's size as UIs do.</summary>
/// <param name="crop">Side of the middle in pixels.</param>
/// <param name="shown">Ids of the decoders, the columns.</param>
sealed class QualitySheet(int crop, IReadOnlyList<string> shown)
{
    readonly List<(Picture Picture, string Caption)> _panels = [];
    readonly Dictionary<string, (Picture Picture, string Caption)> _row = [];
    readonly SortedSet<string> _formats = [];
    string _start = "";

    /// <summary>Begins a row.</summary>
    internal void Start(string format, string picture)
    {
        EndRow();
        _formats.Add(format);
        _start = $"{format}, {picture}";
    }

    /// <summary>Takes a decoder's picture into the row, if it is one of those shown.</summary>
    /// <param name="id">The decoder's id.</param>
    /// <param name="picture">What it made.</param>
    /// <param name="width">Of the full picture.</param>
    /// <param name="height">Of the full picture.</param>
    /// <param name="psnr">How near it is to the reference, in dB.</param>
    internal void Add(string id, Picture picture, int width, int height, double psnr)
    {
        if (shown.Contains(id))
        {
            string name = id.StartsWith("latent2rgb:", StringComparison.Ordinal) ? id["latent2rgb:".Length..] : id;
            string caption = double.IsFinite(psnr) ? string.Create(CultureInfo.InvariantCulture, $"{name} {psnr:0.0}") : $"{name}, reference";
            _row[id] = (picture.Scale(width, height).Middle(crop, crop), caption);
        }
    }

    /// <summary>The sheet.</summary>
    internal Picture Compose()
    {
        EndRow();
        return ContactSheet.Compose(
            $"Previews of {string.Join(", ", _formats)} latents",
            "Numbers: PSNR in dB of the whole picture against the full TAESD decode at one pixel per cell; higher is closer. Latents of Kodak photographs by TAESD's encoder.",
            _panels,
            shown.Count);
    }

    void EndRow()
    {
        if (_start.Length == 0)
        {
            return;
        }

        string[] missing = [.. shown.Where(id => !_row.ContainsKey(id))];
        if (missing.Length > 0)
        {
            throw new LatentBridgeException($"{_start}: there is no decoder {string.Join(", ", missing)}; of those shown there are {(_row.Count == 0 ? "none" : string.Join(", ", _row.Keys))}. Choose others with --show, or add folders of weights with --models.");
        }

        _panels.AddRange(shown.Select(id => _row[id]));
        _row.Clear();
        _start = "";
    }
}
