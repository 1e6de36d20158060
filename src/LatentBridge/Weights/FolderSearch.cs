namespace LatentBridge.Weights;

/// <summary>Searches one folder on a separate thread: a drive that does not answer costs its own networks, not those of other folders.</summary>
sealed class FolderSearch
{
    readonly string _folder;
    readonly TaskCompletionSource _end = new(TaskCreationOptions.RunContinuationsAsynchronously);
    IReadOnlyList<FoundWeights>? _found;

    /// <summary>Begins to search.</summary>
    /// <param name="folder">Full path.</param>
    /// <param name="search">Looks through the folder; may never return.</param>
    /// <param name="done">Called on the search's thread when <see cref="Found"/> is there, however late that is, and before <see cref="Wait"/> returns it.</param>
    public FolderSearch(string folder, Func<string, IReadOnlyList<FoundWeights>> search, Action? done)
    {
        _folder = folder;
        var thread = new Thread(() =>
        {
            Volatile.Write(ref _found, Search(search));
            done?.Invoke();
            _end.SetResult();
        })
        { IsBackground = true, Name = "LatentBridge weights" };
        thread.Start();
    }

    /// <summary>What was found; null until the search is done.</summary>
    public IReadOnlyList<FoundWeights>? Found => Volatile.Read(ref _found);

    /// <summary>Waits for the search.</summary>
    /// <returns>What was found, or one entry that says that the folder did not answer in time.</returns>
    public IReadOnlyList<FoundWeights> Wait(TimeSpan patience, TimeSpan limit)
    {
        _end.Task.Wait(patience < TimeSpan.Zero ? TimeSpan.Zero : patience);
        return Found ?? [Problem($"did not answer within {limit.TotalSeconds:0.#} seconds, so its networks are left out. Check the drive, or remove the folder from {WeightLibrary.FoldersVariable} or the UI's folders")];
    }

    IReadOnlyList<FoundWeights> Search(Func<string, IReadOnlyList<FoundWeights>> search)
    {
        try
        {
            return search(_folder);
        }
#pragma warning disable CA1031 // A folder that cannot be searched costs its decoders, nothing else.
        catch (Exception e)
#pragma warning restore CA1031
        {
            return [Problem($"cannot be searched: {e.Message}")];
        }
    }

    FoundWeights Problem(string what) => new()
    {
        Path = _folder,
        Architecture = FoundWeights.UnknownArchitecture,
        Title = "folder",
        Problem = $"the folder {what}.",
    };
}
