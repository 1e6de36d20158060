using LatentBridge.Decoders;
using LatentBridge.ImageSharp;
using LatentBridge.Sessions;
using LatentBridge.Sessions.Control;

namespace LatentBridge.Host;

/// <summary><c>latentbridge serve</c>: the host, JSON-RPC on stdin and stdout.</summary>
static class ServeCommand
{
    const int VersionsDoNotMeet = 3;

    /// <summary>Serves until stdin closes, the shim asks for the end, or the shim is gone.</summary>
    /// <param name="arguments">None are taken.</param>
    /// <returns>0 ended as asked, 1 failed, 2 wrong usage, 3 versions do not meet.</returns>
    internal static int Run(ReadOnlySpan<string> arguments)
    {
        if (!arguments.IsEmpty)
        {
            Log.WrongUsage(arguments[0]);
            return ExitCode.Usage;
        }

        using Stream input = Console.OpenStandardInput();
        using Stream output = Console.OpenStandardOutput();
        ParentWatch.Start();
        string version = typeof(ServeCommand).Assembly.GetName().Version?.ToString(3) ?? "0.0.0";
        using var channel = new ControlChannel(line => output.Write(line.Span), BeginSession, Log.Session, version);
        try
        {
            var lines = new LineReader(input);
            while (lines.Next(out ReadOnlySpan<byte> line))
            {
                if (lines.IsTooLong)
                {
                    channel.RefuseLongLine();
                    continue;
                }

                switch (channel.Receive(line))
                {
                    case ChannelState.ShutDown:
                        return ExitCode.Done;
                    case ChannelState.VersionsDoNotMeet:
                        return VersionsDoNotMeet;
                }
            }

            return ExitCode.Done;
        }
        catch (IOException e)
        {
            // The shim closed its end: nobody is left to tell.
            Log.ChannelClosed(e.Message);
            return ExitCode.Done;
        }
    }

    static PreviewSession BeginSession(Greeting greeting, IPreviewSink sink)
    {
        Log.Greeted(greeting);
        ParentWatch.Watch(greeting.Process);
        return PreviewSession.Start(sink, LatentDecoders.WeightsOfThisMachine(greeting.Models), greeting.Data, ImageSharpEncoders.Pictures(), greeting.Avoid);
    }
}
