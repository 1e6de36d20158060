namespace LatentBridge.Previews;

/// <summary>Which of a batch is shown.</summary>
public enum BatchChoice
{
    /// <summary>The first.</summary>
    First,

    /// <summary>All, as a grid.</summary>
    Grid,

    /// <summary>The one that <see cref="PreviewOptions.Item"/> names.</summary>
    Item,
}
