using System.Buffers;
using System.Diagnostics;
using System.Text.Json;
using LatentBridge.Scanning.Checks;

namespace LatentBridge.Scanning.Report;

/// <summary>
/// The report of a scan as it grows: <c>report.jsonl</c>, a line for each latent and behind those of a shard a line for the shard. Finds copies among all latents of the report, and
/// goes on where an earlier scan was ended, whether it was ended well or not.
/// </summary>
/// <remarks>One thread at a time.</remarks>
sealed class ScanReport : IDisposable
{
    /// <summary>The report's name in its folder.</summary>
    public const string FileName = "report.jsonl";

    static readonly TimeSpan BetweenFlushes = TimeSpan.FromMilliseconds(250);

    readonly FileStream _file;
    readonly CopyIndex _copies;
    readonly HashSet<Shard> _done = [];
    readonly ArrayBufferWriter<byte> _line = new();
    readonly Dictionary<LatentFaults, long> _counts = [];
    long _flushed;
    long _flushedAt;

    ScanReport(FileStream file)
    {
        _file = file;
        _copies = new CopyIndex(place => ReadLine(place)?.Sketch);
    }

    /// <summary>Latents in it, those that could not be read included.</summary>
    public long Count { get; private set; }

    /// <summary>Latents and shards that could not be read.</summary>
    public long UnreadableCount { get; private set; }

    /// <summary>Latents with something wrong.</summary>
    public long BadCount { get; private set; }

    /// <summary>Shards that an earlier scan had finished.</summary>
    public int ResumedCount => _done.Count;

    /// <summary>How many latents have a fault.</summary>
    public long CountOf(LatentFaults fault) => _counts.GetValueOrDefault(fault);

    /// <summary>A report that is gone when it is closed.</summary>
    public static ScanReport Temporary()
    {
        string path = Path.Combine(Path.GetTempPath(), $"latentbridge-scan-{Guid.NewGuid():N}.jsonl");
        return new(new(path, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.Read, 1 << 16, FileOptions.DeleteOnClose));
    }

    /// <summary>A report that stays. What an earlier scan with the same settings has finished is taken over; shards that changed since, or that were not finished, are left out.</summary>
    /// <param name="path">The file.</param>
    /// <param name="settings">What decides the findings.</param>
    /// <exception cref="LatentBridgeException">It is the report of a scan with other settings.</exception>
    public static ScanReport Open(string path, string settings)
    {
        string rewritten = path + ".new";
        List<Shard> done = File.Exists(path) ? TakeOver(path, rewritten, settings) : Begin(rewritten, settings);
        File.Move(rewritten, path, overwrite: true);
        ScanReport report = new(new(path, FileMode.Open, FileAccess.ReadWrite, FileShare.Read, 1 << 16));
        report._done.UnionWith(done);
        foreach ((long offset, ReadOnlyMemory<byte> bytes) in JsonLines.Read(report._file))
        {
            if (ReportLine.Parse(bytes) is { } line)
            {
                report.Remember(line, offset);
            }
        }

        report._flushed = report._file.Seek(0, SeekOrigin.End);
        return report;
    }

    /// <summary>Whether an earlier scan has finished this shard.</summary>
    public bool IsDone(Shard shard) => _done.Contains(shard);

    /// <summary>Adds a latent; returns it with the faults that only the others tell.</summary>
    /// <param name="line">The latent.</param>
    /// <param name="isCopyOnPurpose">Whether it is meant to be a copy.</param>
    public ReportLine Add(ReportLine line, bool isCopyOnPurpose)
    {
        if (line.Sketch is { } sketch && !isCopyOnPurpose)
        {
            line = Find(sketch, false) is { } copy ? line.With(LatentFaults.Duplicate, $"a copy of {copy}")
                : Find(sketch, true) is { } mirrored ? line.With(LatentFaults.Mirrored, $"a mirrored copy of {mirrored}")
                : line;
        }

        // What is a copy itself, or meant to be one, is no original for others.
        Remember(isCopyOnPurpose ? line with { Sketch = null } : line, _file.Position);
        _line.ResetWrittenCount();
        line.Write(_line);
        WriteLine();
        return line;
    }

    /// <summary>Adds the latents of other reports. Copies are found across them; what each of them found stays.</summary>
    /// <param name="reports">Their files, or their folders.</param>
    /// <param name="onLine">Gets each latent.</param>
    /// <param name="onReport">Called after each report.</param>
    /// <exception cref="LatentBridgeException">A file is no report.</exception>
    public void Merge(IEnumerable<string> reports, Action<ReportLine> onLine, Action<string> onReport)
    {
        foreach (string given in reports)
        {
            string path = Directory.Exists(given) ? Path.Combine(given, FileName) : given;
            using FileStream file = new(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            foreach ((long offset, ReadOnlyMemory<byte> bytes) in JsonLines.Read(file))
            {
                try
                {
                    if (ReportLine.Parse(bytes) is { } line)
                    {
                        onLine(Add(line, (line.Faults & (LatentFaults.Duplicate | LatentFaults.Mirrored)) != 0));
                    }
                }
                catch (JsonException failure)
                {
                    throw new LatentBridgeException($"\"{path}\" is not the report of a scan: byte {offset}: {failure.Message}", failure);
                }
            }

            onReport(path);
        }
    }

    /// <summary>Says that all latents of a shard were added.</summary>
    public void Finish(Shard shard)
    {
        _line.ResetWrittenCount();
        shard.Write(_line);
        WriteLine();
        if (Stopwatch.GetElapsedTime(_flushedAt) > BetweenFlushes)
        {
            Flush();
        }
    }

    /// <summary>All latents, in the report's order; do not add any meanwhile.</summary>
    public IEnumerable<ReportLine> Lines()
    {
        Flush();
        using FileStream file = new(_file.Name, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        foreach ((_, ReadOnlyMemory<byte> bytes) in JsonLines.Read(file))
        {
            if (ReportLine.Parse(bytes) is { } line)
            {
                yield return line;
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _file.Dispose();

    static List<Shard> Begin(string path, string settings)
    {
        using FileStream file = File.Create(path);
        file.Write(Header(settings));
        return [];
    }

    static List<Shard> TakeOver(string path, string rewritten, string settings)
    {
        List<Shard> done = [];
        using FileStream from = new(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        using FileStream copyFrom = new(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        using FileStream to = File.Create(rewritten);
        long start = -1;
        foreach ((long offset, ReadOnlyMemory<byte> line) in JsonLines.Read(from))
        {
            long end = offset + line.Length + 1;
            if (start < 0)
            {
                CheckHeader(path, line.Span, settings);
                to.Write(Header(settings));
                start = end;
            }
            else if (Parse(line) is { } shard)
            {
                if (Shard.Of(shard.Path) == shard)
                {
                    Copy(copyFrom, start, end - start, to);
                    done.Add(shard);
                }

                start = end;
            }
        }

        if (start < 0)
        {
            to.Write(Header(settings));
        }

        return done;
    }

    static Shard? Parse(ReadOnlyMemory<byte> line)
    {
        try
        {
            return Shard.Parse(line);
        }
        catch (JsonException)
        {
            return null;
        }
    }

    static void CheckHeader(string path, ReadOnlySpan<byte> line, string settings)
    {
        if (!Header(settings).AsSpan(..^1).SequenceEqual(line))
        {
            throw new LatentBridgeException($"\"{path}\" is the report of a scan with other settings. Name another folder with --output, or remove that file to begin anew.");
        }
    }

    static byte[] Header(string settings)
    {
        ArrayBufferWriter<byte> header = new();
        using (Utf8JsonWriter json = new(header))
        {
            json.WriteStartObject();
            json.WriteString("scan", settings);
            json.WriteEndObject();
        }

        return [.. header.WrittenSpan, (byte)'\n'];
    }

    static void Copy(FileStream from, long offset, long length, FileStream to)
    {
        byte[] buffer = new byte[1 << 16];
        from.Position = offset;
        for (int part; length > 0; length -= part)
        {
            part = (int)Math.Min(length, buffer.Length);
            from.ReadExactly(buffer, 0, part);
            to.Write(buffer, 0, part);
        }
    }

    void Remember(ReportLine line, long place)
    {
        Count++;
        BadCount += line.IsGood ? 0 : 1;
        UnreadableCount += line.Error is null ? 0 : 1;
        foreach ((LatentFaults fault, _) in LatentFaultsExtensions.All)
        {
            if (line.Faults.HasFlag(fault))
            {
                _counts[fault] = CountOf(fault) + 1;
            }
        }

        if (line.Sketch is { } sketch && (line.Faults & (LatentFaults.Duplicate | LatentFaults.Mirrored)) == 0)
        {
            _copies.Add(sketch, place);
        }
    }

    ReportLine? Find(PictureSketch sketch, bool mirrored) => _copies.Find(sketch, mirrored) is { } place ? ReadLine(place) : null;

    void WriteLine()
    {
        _file.Write(_line.WrittenSpan);
        _file.WriteByte((byte)'\n');
    }

    ReportLine? ReadLine(long place)
    {
        if (place >= _flushed)
        {
            Flush();
        }

        byte[] bytes = new byte[1 << 12];
        int length = RandomAccess.Read(_file.SafeFileHandle, bytes, place), end;
        while ((end = bytes.AsSpan(0, length).IndexOf((byte)'\n')) < 0 && length == bytes.Length)
        {
            Array.Resize(ref bytes, 2 * bytes.Length);
            length += RandomAccess.Read(_file.SafeFileHandle, bytes.AsSpan(length), place + length);
        }

        return end < 0 ? null : ReportLine.Parse(bytes.AsMemory(0, end));
    }

    void Flush()
    {
        _file.Flush();
        _flushed = _file.Position;
        _flushedAt = Stopwatch.GetTimestamp();
    }
}
