using System.Text;

namespace LatentBridge.Host.Output;

/// <summary>How text leaves this program.</summary>
static class StandardStreams
{
    /// <summary>
    /// A redirected stdout or stderr is UTF-8 without a byte order mark, whatever code page or locale the system has: programs read it. A terminal
    /// keeps its own encoding.
    /// </summary>
    internal static void UseUtf8WhereRedirected()
    {
        if (Console.IsOutputRedirected)
        {
            Console.SetOut(Utf8(Console.OpenStandardOutput()));
        }

        if (Console.IsErrorRedirected)
        {
            Console.SetError(Utf8(Console.OpenStandardError()));
        }
    }

    static StreamWriter Utf8(Stream stream) => new(stream, new UTF8Encoding(encoderShouldEmitUTF8Identifier: false)) { AutoFlush = true };
}
