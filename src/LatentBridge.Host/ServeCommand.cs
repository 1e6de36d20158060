namespace LatentBridge.Host;

/// <summary><c>latentbridge serve</c>: the host, JSON-RPC on stdin and stdout.</summary>
static class ServeCommand
{
    /// <summary>Serves until stdin closes; returns the exit code.</summary>
    internal static int Run(ReadOnlySpan<string> arguments)
    {
        Console.Error.WriteLine("serve is not there yet.");
        return ExitCode.Failed;
    }
}
