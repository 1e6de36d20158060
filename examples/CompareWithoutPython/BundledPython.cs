using LatentBridge;
using Python.Included;

/// <summary>The Python that the package Python.Included brings, for Windows on x64.</summary>
static class BundledPython
{
    /// <summary>Unpacks it into the user's local folder and has its pip fetch modules; what is there already stays as it is.</summary>
    /// <returns>Its interpreter.</returns>
    /// <exception cref="LatentBridgeException">This is not Windows, or there is no network for what is missing.</exception>
    public static async Task<string> Install(params string[] modules)
    {
        if (!OperatingSystem.IsWindows())
        {
            throw new LatentBridgeException("Python.Included brings a Python for Windows; on this system name an installed one.");
        }

        Installer.LogMessage += Console.WriteLine;
        await Installer.SetupPython();
        string python = Path.Combine(Installer.EmbeddedPythonHome, "python.exe");
        foreach (string module in modules.Where(module => !Installer.IsModuleInstalled(module)))
        {
            try
            {
                await Installer.PipInstallModule(module);
            }
            catch (Exception failure) when (failure is IOException or HttpRequestException)
            {
                throw new LatentBridgeException($"pip did not install {module} ({failure.Message}); with a network: {python} -m pip install {module}");
            }
        }

        return python;
    }
}
