using System.Diagnostics.CodeAnalysis;
using Python.Runtime;

namespace LatentBridge.EmbeddedPython;

/// <summary>Python in this process, by pythonnet.</summary>
/// <remarks>
/// A process has one Python, which is never ended before the process: NumPy and PyTorch cannot be loaded a second time. The GIL is taken for a call and
/// given away between calls, so that Python's own threads run. Memory is handed over by address, pinned for the call: neither side copies a tensor.
/// </remarks>
public static class HostedPython
{
    static readonly Lock Gate = new();
    static PythonPlace? _running;

    /// <summary>Why this program cannot, and what helps; null where it can.</summary>
    public static string? Missing => IsSupported ? null : "a published program is trimmed, and pythonnet works by reflection: build from the sources (./run.sh)";

    /// <summary>pythonnet's; null where <see cref="Missing"/> says why.</summary>
    public static string? Version => IsSupported ? typeof(PythonEngine).Assembly.GetName().Version?.ToString(3) : null;

    /// <summary>Off in a trimmed program, which then leaves pythonnet out.</summary>
    [FeatureSwitchDefinition("LatentBridge.EmbeddedPython.IsSupported")]
    static bool IsSupported => !AppContext.TryGetSwitch("LatentBridge.EmbeddedPython.IsSupported", out bool isOn) || isOn;

    /// <summary>Starts Python, if it does not run, and lets it import what lies in a folder.</summary>
    /// <exception cref="LatentBridgeException">It cannot be loaded, is of a version that pythonnet does not know, or another one runs already; or <see cref="Missing"/>.</exception>
    public static void Start(PythonPlace place, string folder)
    {
        if (!IsSupported)
        {
            throw NotSupported();
        }

        lock (Gate)
        {
            if (_running is not null && _running.Library != place.Library)
            {
                throw new LatentBridgeException($"{_running.Program} runs in this process already, and a process has one Python; {place.Program} can be used as a child process.");
            }

            try
            {
                if (_running is null)
                {
                    Runtime.PythonDLL = place.Library;
                    PythonEngine.ProgramName = place.Program;
                    PythonEngine.Initialize();
                    PythonEngine.BeginAllowThreads();
                    _running = place;
                }
            }
            catch (Exception failure) when (failure is NotSupportedException or DllNotFoundException or TypeInitializationException or BadImageFormatException or PythonException)
            {
                throw new LatentBridgeException(
                    $"Python {place.Version} ({place.Library}) does not run inside this process: {failure.GetBaseException().Message} "
                    + $"pythonnet is {typeof(PythonEngine).Assembly.GetName().Version?.ToString(3)}; name another Python, or use it as a child process.");
            }

            using (Py.GIL())
            {
                using PyObject path = Py.Import("sys").GetAttr("path");
                using PyObject name = folder.ToPython();
                using PyObject none = path.InvokeMethod("insert", 0.ToPython(), name);
            }
        }
    }

    /// <summary>Calls <c>function(request, input's address, output's address, output's length in bytes)</c> of a module; it returns text.</summary>
    /// <param name="module">As Python imports it.</param>
    /// <param name="function">Of the module.</param>
    /// <param name="request">What is asked.</param>
    /// <param name="input">Values; they stay where they are during the call, and no longer.</param>
    /// <param name="output">Gets bytes; the same.</param>
    /// <exception cref="LatentBridgeException">Python raised; the message is the exception's.</exception>
    public static unsafe string Call(string module, string function, string request, ReadOnlySpan<float> input, Span<byte> output)
    {
        if (!IsSupported)
        {
            throw NotSupported();
        }

        fixed (float* from = input)
        fixed (byte* to = output)
        {
            try
            {
                using (Py.GIL())
                {
                    using PyObject imported = Py.Import(module);
                    using PyObject text = request.ToPython();
                    using PyObject source = ((long)from).ToPython();
                    using PyObject target = ((long)to).ToPython();
                    using PyObject room = output.Length.ToPython();
                    using PyObject answer = imported.InvokeMethod(function, text, source, target, room);
                    return answer.As<string>();
                }
            }
            catch (PythonException failure)
            {
                throw new LatentBridgeException($"Python: {failure.Message}");
            }
        }
    }

    static LatentBridgeException NotSupported() => new($"Python does not run inside this process: {Missing}.");
}
