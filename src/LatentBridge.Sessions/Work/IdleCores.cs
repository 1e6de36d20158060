using System.Runtime.InteropServices;
using System.Runtime.Versioning;
using Microsoft.Win32.SafeHandles;

namespace LatentBridge.Sessions;

/// <summary>How many cores nobody else uses, measured over the last second or so.</summary>
/// <remarks>
/// The time this process itself uses counts as idle: it is ours to give. Where it cannot be measured every core counts as idle.
/// One thread at a time; no call allocates after the first.
/// </remarks>
sealed partial class IdleCores : IDisposable
{
    static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(500);

    readonly TimeProvider _time;
    readonly SafeFileHandle? _stat;
    readonly int _processors;
    long _lastTimestamp;
    double _lastIdleSeconds;
    double _lastOwnSeconds;
    double _idle;

    public IdleCores(TimeProvider time, string stat = "/proc/stat", int? processors = null)
    {
        _time = time;
        _processors = processors ?? Environment.ProcessorCount;
        _idle = _processors;
        try
        {
            _stat = OperatingSystem.IsLinux() ? File.OpenHandle(stat) : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Android and some sandboxes keep it to themselves.
        }

        Sample();
    }

    /// <summary>Threads a decode may use when nobody said: half of the idle cores, at least one.</summary>
    public int HalfOfIdle()
    {
        if (_time.GetElapsedTime(_lastTimestamp) >= Interval)
        {
            Sample();
        }

        return Math.Max(1, (int)(_idle / 2));
    }

    public void Dispose() => _stat?.Dispose();

    void Sample()
    {
        long now = _time.GetTimestamp();
        if (ReadIdleSeconds() is not { } idle)
        {
            _lastTimestamp = now;
            return;
        }

        double own = OwnSeconds();
        double elapsed = _time.GetElapsedTime(_lastTimestamp, now).TotalSeconds;
        if (_lastTimestamp != 0 && elapsed > 0)
        {
            // Rounded to a tenth above: what a busy machine's own bookkeeping takes should not cost a thread.
            _idle = Math.Clamp(((idle - _lastIdleSeconds + own - _lastOwnSeconds) / elapsed) + 0.1, 0, _processors);
        }

        (_lastTimestamp, _lastIdleSeconds, _lastOwnSeconds) = (now, idle, own);
    }

    static double OwnSeconds() =>
        OperatingSystem.IsWindows() || OperatingSystem.IsLinux() || OperatingSystem.IsMacOS() ? Environment.CpuUsage.TotalTime.TotalSeconds : 0;

    double? ReadIdleSeconds()
    {
        if (OperatingSystem.IsWindows())
        {
            return GetSystemTimes(out long idle, out _, out _) ? idle / 1e7 : null;
        }

        if (_stat is null)
        {
            return null;
        }

        // "cpu  user nice system idle iowait irq ...", in hundredths of a second, all cores together.
        Span<byte> line = stackalloc byte[256];
        try
        {
            line = line[..RandomAccess.Read(_stat, line, 0)];
        }
        catch (IOException)
        {
            return null;
        }

        return ParseIdle(line) / 100.0;
    }

    /// <summary>The idle and iowait columns of <c>/proc/stat</c>'s first line, added; null when it looks otherwise.</summary>
    internal static long? ParseIdle(ReadOnlySpan<byte> stat)
    {
        int end = stat.IndexOf((byte)'\n');
        ReadOnlySpan<byte> line = end < 0 ? stat : stat[..end];
        if (!line.StartsWith("cpu "u8))
        {
            return null;
        }

        long idle = 0;
        int column = 0;
        foreach (Range part in line[4..].Split((byte)' '))
        {
            ReadOnlySpan<byte> text = line[4..][part];
            if (text.IsEmpty)
            {
                continue;
            }

            if (!long.TryParse(text, out long value))
            {
                return null;
            }

            if (column is 3 or 4)
            {
                idle += value;
            }

            column++;
        }

        return column >= 4 ? idle : null;
    }

    [SupportedOSPlatform("windows")]
    [LibraryImport("kernel32.dll", SetLastError = true)]
    [return: MarshalAs(UnmanagedType.Bool)]
    private static partial bool GetSystemTimes(out long idle, out long kernel, out long user);
}
