using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using LatentBridge.Ipc;
using LatentBridge.Testing;

namespace LatentBridge.Host.Tests.Serve;

/// <summary>The real host as a child process over real shared memory, with the shim's part in the test's hands: SDXL latents of 4 x side x side.</summary>
sealed class HostProcess : IDisposable
{
    readonly Process _process;
    ulong _sequence;

    public HostProcess(int side = 64, long imageCapacity = 1 << 20, bool greet = true)
    {
        Side = side;
        Page = HeaderPage.Create(4, 16L * side * side, 4, imageCapacity, Environment.ProcessId, 1);
        Memory = new ShimMemory(Page);
        var start = new ProcessStartInfo(Command[0], [.. Command.Skip(1), "serve"])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            StandardOutputEncoding = Encoding.UTF8,
        };
        _process = Process.Start(start)!;
        _process.ErrorDataReceived += (_, e) => Log += e.Data + "\n";
        _process.BeginErrorReadLine();
        if (greet)
        {
            Send($$$"""{"jsonrpc":"2.0","id":1,"method":"hello","params":{"protocol":2,"client":"test","process":{{{Environment.ProcessId}}}}}""");
            Assert.Equal(Protocol.Version, Read().GetProperty("result").GetProperty("protocol").GetInt32());
            Attach();
        }
    }

    /// <summary>The built host.</summary>
    public static string[] Command { get; } = [Path.Combine(AppContext.BaseDirectory, OperatingSystem.IsWindows() ? "LatentBridge.Host.exe" : "LatentBridge.Host")];

    public int Side { get; }

    public HeaderPage Page { get; private set; }

    public ShimMemory Memory { get; }

    public string Log { get; private set; } = "";

    public int Id => _process.Id;

    public StreamWriter Input => _process.StandardInput;

    public void Attach()
    {
        Send($$$"""{"jsonrpc":"2.0","id":2,"method":"attach","params":{"mapping":{{{Memory.SourceJson}}},"length":{{{Page.TotalLength}}},"generation":{{{Page.Generation}}}}}""");
        JsonElement answer = ReadUntil(m => m.TryGetProperty("id", out JsonElement id) && id.GetInt32() == 2);
        Assert.Equal(Page.Generation, answer.GetProperty("result").GetProperty("generation").GetUInt32());
    }

    public void Grow(HeaderPage page)
    {
        Memory.Resize(page);
        Page = page;
        Attach();
    }

    public void Send(string line)
    {
        Input.Write(line + "\n");
        Input.Flush();
    }

    public JsonElement Read()
    {
        string line = ReadLine() ?? throw new InvalidOperationException($"the host ended: {Log}");
        using JsonDocument document = JsonDocument.Parse(line);
        return document.RootElement.Clone();
    }

    public string? ReadLine()
    {
        Task<string?> line = _process.StandardOutput.ReadLineAsync();
        return line.Wait(TimeSpan.FromSeconds(60)) ? line.Result : throw new TimeoutException($"the host says nothing: {Log}");
    }

    public JsonElement ReadUntil(Func<JsonElement, bool> wanted)
    {
        while (true)
        {
            JsonElement message = Read();
            if (wanted(message))
            {
                return message;
            }
        }
    }

    public ulong Submit(int slot, int step, ulong run = 1, int? side = null)
    {
        int cells = side ?? Side;
        var header = new LatentSlotHeader
        {
            Magic = LatentSlotHeader.ExpectedMagic,
            Generation = Page.Generation,
            Sequence = ++_sequence,
            Run = run,
            Step = step,
            AxisCount = 4,
            PayloadLength = 16UL * (ulong)cells * (ulong)cells,
        };
        (header.Axes[0], header.Axes[1], header.Axes[2], header.Axes[3]) = (1, 4, cells, cells);
        long offset = (long)(Page.LatentSlotsOffset + ((ulong)slot * Page.LatentSlotStride));
        float[] values = new float[4 * cells * cells];
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = MathF.Sin(i * 0.01f * (step + 1));
        }

        Memory.Write(MemoryMarshal.AsBytes(values.AsSpan()), offset + 128);
        Memory.Write(header, offset);
        Notify("submit", $"\"slot\":{slot},\"sequence\":{header.Sequence}");
        return header.Sequence;
    }

    public void Notify(string method, string members) => Send("{\"jsonrpc\":\"2.0\",\"method\":\"" + method + "\",\"params\":{" + members + "}}");

    /// <summary>Waits for this latent's picture and gives it back after a look at its header and first bytes.</summary>
    public ImageSlotHeader TakePicture(ulong sequence)
    {
        JsonElement ready = ReadUntil(m => m.TryGetProperty("method", out JsonElement method) && method.GetString() is "ready" or "dropped"
            && m.GetProperty("params").GetProperty("sequence").GetUInt64() == sequence);
        Assert.Equal("ready", ready.GetProperty("method").GetString());
        JsonElement picture = ready.GetProperty("params");
        int slot = picture.GetProperty("slot").GetInt32();
        long offset = (long)(Page.ImageSlotsOffset + ((ulong)slot * Page.ImageSlotStride));
        var header = MemoryMarshal.Read<ImageSlotHeader>(Memory.Read(offset, 128));
        Assert.Null(header.Validate(Page.Generation, (long)Page.ImageSlotStride - 128));
        Assert.Equal(sequence, header.Sequence);
        Assert.Equal("PNG"u8.ToArray(), Memory.Read(offset + 128, 4)[1..]);
        Notify("release", $"\"slot\":{slot}");
        return header;
    }

    public int WaitForExit()
    {
        Assert.True(_process.WaitForExit(TimeSpan.FromSeconds(30)), $"the host does not end: {Log}");
        return _process.ExitCode;
    }

    public void Dispose()
    {
        if (!_process.HasExited)
        {
            _process.Kill();
            _process.WaitForExit();
        }

        _process.Dispose();
        Memory.Dispose();
    }
}
