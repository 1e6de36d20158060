using LatentBridge.Sessions.Control;

namespace LatentBridge.Host;

/// <summary>The host's log: lines on stderr, one method a message. stdout belongs to the control channel.</summary>
static class Log
{
    static readonly Lock Gate = new();

    public static void Greeted(Greeting greeting) => Write($"serving {greeting.Client} (process {greeting.Process})");

    public static void Session(string message) => Write(message);

    public static void ChannelClosed(string why) => Write($"the control channel is closed: {why}");

    public static void ShimGone() => Write("the UI's process has ended; ending too");

    public static void ShimUnseen(int process, string why) => Write($"the shim's process {process} cannot be watched ({why}); the closed stdin tells its end");

    public static void WrongUsage(string argument) => Write($"serve takes no arguments, found \"{argument}\"");

    static void Write(string message)
    {
        lock (Gate)
        {
            try
            {
                Console.Error.WriteLine($"latentbridge: {ShownText.Clean(message)}");
            }
            catch (IOException)
            {
                // Nobody reads it any more.
            }
        }
    }
}
