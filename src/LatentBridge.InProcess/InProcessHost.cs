using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using System.Runtime.Loader;
using System.Text;
using LatentBridge.Decoders;
using LatentBridge.ImageSharp;
using LatentBridge.Onnx;
using LatentBridge.Sessions;
using LatentBridge.Sessions.Control;

namespace LatentBridge.InProcess;

/// <summary>The host inside a Python process: the lines of <c>docs/protocol.md</c> by call instead of by pipe, over the same session and shared memory.</summary>
/// <remarks>
/// Python calls C#, never the other way round: no thread of ours ever takes the GIL, and pythonnet gives it away for the length of each call, so
/// <see cref="Next"/> may wait. One thread calls <see cref="Receive"/>, one calls <see cref="Next"/>, any may call <see cref="Dispose"/>.
/// </remarks>
public sealed class InProcessHost : IDisposable
{
    readonly BlockingCollection<string> _lines = [];
    readonly ConcurrentQueue<string> _log = new();
    readonly ControlChannel _channel;
    readonly Lock _gate = new();
    bool _isDisposed;

    // A CLR inside another program has no base directory; ours is where this assembly lies, and the weights are found from it.
    static InProcessHost()
    {
        if (AppContext.BaseDirectory.Length == 0)
        {
            AppContext.SetData("APP_CONTEXT_BASE_DIRECTORY", Path.GetDirectoryName(typeof(InProcessHost).Assembly.Location) + Path.DirectorySeparatorChar);
        }

        // A release has native libraries once, beside the program of each system.
        AssemblyLoadContext.Default.ResolvingUnmanagedDll += static (_, name) =>
            NativeLibrary.TryLoad(Path.Combine(Path.GetDirectoryName(typeof(InProcessHost).Assembly.Location)!, "..", BesideTheProgram(name)), out nint library) ? library : 0;
        OnnxModels.Register();
    }

    /// <summary>Opens the channel; a session begins with <c>hello</c>.</summary>
    public InProcessHost() => _channel = new ControlChannel(Write, Begin, _log.Enqueue, typeof(InProcessHost).Assembly.GetName().Version?.ToString(3) ?? "0.0.0");

    /// <summary>Handles one line of the shim, without its line feed.</summary>
    /// <returns>False when the host has ended: asked to, disposed of, or of another version than the shim.</returns>
    public bool Receive(string line)
    {
        lock (_gate)
        {
            if (_isDisposed)
            {
                return false;
            }

            if (_channel.Receive(Encoding.UTF8.GetBytes(line)) == ChannelState.Open)
            {
                return true;
            }
        }

        _lines.CompleteAdding();
        return false;
    }

    /// <summary>Waits for the next line of the host; null after its end.</summary>
    public string? Next() => _lines.TryTake(out string? line, Timeout.Infinite) ? line : null;

    /// <summary>The next line of the host's log, for people; null when there is none.</summary>
    public string? NextLog() => _log.TryDequeue(out string? line) ? line : null;

    /// <summary>Ends the session: the worker stops, within some 20 ms, and the memory is unmapped. <see cref="Next"/> returns what was said, then null.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            if (_isDisposed)
            {
                return;
            }

            _isDisposed = true;
            _channel.Dispose();
        }

        _lines.CompleteAdding();
    }

    static string BesideTheProgram(string library)
    {
        string processor = RuntimeInformation.ProcessArchitecture.ToString().ToLowerInvariant();
        return OperatingSystem.IsWindows() ? Path.Combine($"win-{processor}", $"{library}.dll") : Path.Combine($"linux-{processor}", $"lib{library}.so");
    }

    static PreviewSession Begin(Greeting greeting, IPreviewSink sink) =>
        PreviewSession.Start(sink, LatentDecoders.WeightsOfThisMachine(greeting.Models), greeting.Data, ImageSharpEncoders.Pictures(), greeting.Avoid);

    void Write(ReadOnlyMemory<byte> line)
    {
        // After the end there is nobody to tell; a line of the worker may still come.
        try
        {
            _lines.Add(Encoding.UTF8.GetString(line.Span));
        }
        catch (InvalidOperationException)
        {
        }
    }
}
