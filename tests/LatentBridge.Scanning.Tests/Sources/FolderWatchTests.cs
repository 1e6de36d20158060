using LatentBridge.Scanning.Sources;

namespace LatentBridge.Scanning.Tests.Sources;

public sealed class FolderWatchTests
{
    [Fact]
    public void A_file_comes_once_and_only_when_it_has_stopped_growing()
    {
        string folder = Directory.CreateTempSubdirectory("latentbridge-watch-").FullName;
        string first = Path.Combine(folder, "a.npy"), growing = Path.Combine(folder, "b.npy");
        File.WriteAllBytes(first, [1]);

        // What happens between two looks; the last one ends it.
        Queue<Action> looks = new(
        [
            () => File.WriteAllBytes(growing, [1]),
            () => File.WriteAllBytes(growing, [1, 2]),
            static () => { },
            () => Assert.True(File.Exists(growing)),
        ]);
        List<(string, int)> found = [.. FolderWatch.Follow([folder], () =>
        {
            if (!looks.TryDequeue(out Action? change))
            {
                return false;
            }

            change();
            return true;
        }).Select(path => (Path.GetFileName(path), looks.Count))];
        Directory.Delete(folder, recursive: true);
        Assert.Equal([("a.npy", 3), ("b.npy", 1)], found);
    }
}
