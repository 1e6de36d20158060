using LatentBridge;

/// <summary>None, where the program was built without Python.Included: <c>BundledPython.cs</c> is the one with it.</summary>
static class BundledPython
{
    /// <summary>Refuses.</summary>
    /// <exception cref="LatentBridgeException">Always.</exception>
    public static Task<string> Install(params string[] modules) => throw new LatentBridgeException(
        "This program was built without Python.Included (CONTRIBUTING.md, Optional packages, says how to build it in); name a Python that has "
        + string.Join(" and ", modules) + ".");
}
