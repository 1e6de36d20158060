namespace LatentBridge.Tests;

/// <summary>Finds the test data: <c>LATENTBRIDGE_TEST_DATA</c>, else <c>../shared</c> beside the repository's root.</summary>
static class TestData
{
    /// <summary>The repository's root: the nearest folder upwards that holds <c>LatentBridge.sln</c>.</summary>
    public static string RepositoryRoot { get; } = FindRoot();

    /// <summary>The folder of the test data, or null when there is none.</summary>
    public static string? Folder { get; } = FindFolder();

    /// <summary>The full path of a file of the test data (<c>"latents", "SD15_run8.safetensors"</c>); skips the test when it is not there.</summary>
    public static string Require(params string[] path)
    {
        if (Folder is null)
        {
            Assert.Skip("No test data: set LATENTBRIDGE_TEST_DATA to its folder, or put it at ../shared beside the repository.");
        }

        string file = Path.Combine([Folder, .. path]);
        if (!File.Exists(file) && !Directory.Exists(file))
        {
            Assert.Skip($"The test data has no {Path.Combine(path)}.");
        }

        return file;
    }

    static string FindRoot()
    {
        string? folder = AppContext.BaseDirectory;
        while (folder is not null && !File.Exists(Path.Combine(folder, "LatentBridge.sln")))
        {
            folder = Path.GetDirectoryName(folder);
        }

        return folder ?? throw new InvalidOperationException($"LatentBridge.sln is in no folder above {AppContext.BaseDirectory}.");
    }

    static string? FindFolder()
    {
        string? named = Environment.GetEnvironmentVariable("LATENTBRIDGE_TEST_DATA");
        string folder = string.IsNullOrEmpty(named) ? Path.Combine(RepositoryRoot, "..", "shared") : named;
        return Directory.Exists(folder) ? Path.GetFullPath(folder) : null;
    }
}
