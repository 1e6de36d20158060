namespace LatentBridge.EmbeddedPython;

/// <summary>Python in this process where the program was built without pythonnet: <c>Runtime/HostedPython.cs</c> is the one with it.</summary>
public static class HostedPython
{
    /// <summary>Why there is none, and what helps; null where pythonnet is built in.</summary>
    public static string? Missing => "This program was built without pythonnet, or trimmed (CONTRIBUTING.md, Optional packages, says how to build it in)";

    /// <summary>Refuses.</summary>
    /// <exception cref="LatentBridgeException">Always.</exception>
    public static void Start(PythonPlace place, string folder) => throw new LatentBridgeException($"{Missing}; {place.Program} can be used as a child process.");

    /// <summary>Refuses.</summary>
    /// <exception cref="LatentBridgeException">Always.</exception>
    public static string Call(string module, string function, string request, ReadOnlySpan<float> input, Span<byte> output) => throw new LatentBridgeException($"{Missing}.");
}
