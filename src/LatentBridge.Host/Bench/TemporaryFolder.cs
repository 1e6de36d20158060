namespace LatentBridge.Host.Bench;

/// <summary>A folder that is gone afterwards.</summary>
sealed class TemporaryFolder : IDisposable
{
    internal string Path { get; } = Directory.CreateTempSubdirectory("latentbridge-").FullName;

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
