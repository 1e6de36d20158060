using System.Globalization;
using System.Text.Json;
using LatentBridge.Host.Bench;
using LatentBridge.Host.Sheets;

namespace LatentBridge.Host.Codec;

/// <summary>A picture in a file of at most so many bytes, and decoded again.</summary>
/// <param name="Kind"><c>jpeg</c> or <c>webp</c>.</param>
/// <param name="Bytes">Bytes it has.</param>
/// <param name="Budgets">What it may have: it is the best for each of these.</param>
/// <param name="Pixels">RGB24.</param>
sealed record PeerPicture(string Kind, long Bytes, long[] Budgets, byte[] Pixels);

/// <summary>JPEG and WebP by a Python that has Pillow: <c>benchmarks/peers/pillow_pictures.py</c>, whose files are written down there.</summary>
sealed class PicturePeers : IDisposable
{
    /// <summary>The kinds there may be.</summary>
    internal static readonly string[] Kinds = ["jpeg", "webp"];

    readonly TemporaryFolder _folder;
    readonly PeerProcess _process;
    int _count;

    PicturePeers(TemporaryFolder folder, PeerProcess process) => (_folder, _process) = (folder, process);

    /// <summary>Who it is, with its version.</summary>
    internal string Name => _process.Name;

    /// <summary>Starts it; null where no Python has Pillow.</summary>
    internal static PicturePeers? TryStart()
    {
        TemporaryFolder folder = new();
        if (PeerProcess.TryStart("pillow_pictures.py", folder.Path) is { } process)
        {
            return new(folder, process);
        }

        folder.Dispose();
        return null;
    }

    /// <summary>The picture by each kind in at most so many bytes, as good as they allow; those that are possible.</summary>
    internal IReadOnlyList<PeerPicture> Compress(Picture picture, IEnumerable<long> budgets)
    {
        int number = _count++;
        string Path(string ending) => System.IO.Path.Combine(_folder.Path, number.ToString(CultureInfo.InvariantCulture) + ending);
        File.WriteAllBytes(Path(".rgb"), picture.Pixels);
        File.WriteAllText(Path(".json"), $$"""{"width": {{picture.Width}}, "height": {{picture.Height}}, "budgets": [{{string.Join(", ", budgets.Distinct())}}]}""");
        _process.Measure(number);

        using JsonDocument found = JsonDocument.Parse(File.ReadAllBytes(Path(".out.json")));
        return [.. found.RootElement.EnumerateArray().Select(entry =>
        {
            string kind = entry.GetProperty("kind").GetString()!;
            string file = Path($"-{kind}-{entry.GetProperty("quality").GetRawText()}.rgb");
            byte[] pixels = File.ReadAllBytes(file);
            File.Delete(file);
            return new PeerPicture(kind, entry.GetProperty("bytes").GetInt64(), [.. entry.GetProperty("budgets").EnumerateArray().Select(budget => budget.GetInt64())], pixels);
        })];
    }

    public void Dispose()
    {
        _process.Dispose();
        _folder.Dispose();
    }
}
