using LatentBridge;

/// <summary>None, unless -p:LatentBridgePythonIncluded=true compiles <c>BundledPython.cs</c> in its place.</summary>
static class BundledPython
{
    /// <summary>Refuses.</summary>
    /// <exception cref="LatentBridgeException">Always.</exception>
    public static Task<string> Install(params string[] modules) => throw new LatentBridgeException(
        $"This program was built without Python.Included. Name a Python that has {string.Join(" and ", modules)}, or on Windows build with -p:LatentBridgePythonIncluded=true.");
}
