namespace LatentBridge.Weights;

/// <summary>The search of one folder on a thread of its own: a drive that does not answer costs its own networks, not those of other folders.</summary>
sealed class FolderSearch
{
    readonly Task<IReadOnlyList<FoundWeights>> _search;
    readonly string _folder;

    /// <summary>Begins to search.</summary>
    /// <param name="folder">Full path.</param>
    /// <param name="search">Looks through the folder; may never return.</param>
    /// <param name="done">Called on the search's thread at its end, however late that is.</param>
    public FolderSearch(string folder, Func<string, IReadOnlyList<FoundWeights>> search, Action? done)
    {
        _folder = folder;
        var result = new TaskCompletionSource<IReadOnlyList<FoundWeights>>(TaskCreationOptions.RunContinuationsAsynchronously);
        _search = result.Task;
        var thread = new Thread(() =>
        {
            try
            {
                result.SetResult(search(folder));
            }
#pragma warning disable CA1031 // A folder that cannot be searched costs its decoders, nothing else.
            catch (Exception e)
#pragma warning restore CA1031
            {
                result.SetResult([Problem($"cannot be searched: {e.Message}")]);
            }

            done?.Invoke();
        })
        { IsBackground = true, Name = "LatentBridge weights" };
        thread.Start();
    }

    /// <summary>What was found; null until the search is done.</summary>
    public IReadOnlyList<FoundWeights>? Found => _search.IsCompletedSuccessfully ? _search.Result : null;

    /// <summary>Waits for the search.</summary>
    /// <returns>What was found, or one entry that says that the folder did not answer in time.</returns>
    public IReadOnlyList<FoundWeights> Wait(TimeSpan patience, TimeSpan limit)
    {
        _search.Wait(patience < TimeSpan.Zero ? TimeSpan.Zero : patience);
        return Found ?? [Problem($"did not answer within {limit.TotalSeconds:0.#} seconds, and its networks are left out. Check the drive, or take the folder out of {WeightLibrary.FoldersVariable} or the UI's folders")];
    }

    FoundWeights Problem(string what) => new()
    {
        Path = _folder,
        Architecture = FoundWeights.UnknownArchitecture,
        Title = "folder",
        Problem = $"the folder {what}.",
    };
}
