using System.Diagnostics;
using Newtonsoft.Json;
using Spectre.Console;

namespace LatentBridge.Host.Output;

/// <summary>
/// Where a command speaks: tables and progress bars on a terminal, plain lines in a pipe, and with <c>--json</c> one document on stdout and
/// nothing else there. Names from files are cleaned here, whoever says them.
/// </summary>
sealed class Terminal
{
    static readonly TimeSpan BetweenLines = TimeSpan.FromSeconds(10);

    readonly TextWriter _output;
    readonly TextWriter _error;
    readonly IAnsiConsole? _console;
    readonly IAnsiConsole? _progress;

    List<string>? _heldNotes;

    /// <summary>Makes one over the process's streams, or over others.</summary>
    /// <param name="output">Gets the results.</param>
    /// <param name="error">Gets notes and progress.</param>
    /// <param name="isTerminal">Whether a person sits before it; null: found out for the process's streams, else false.</param>
    internal Terminal(TextWriter output, TextWriter error, bool? isTerminal = null)
    {
        (_output, _error) = (output, error);
        _console = isTerminal ?? (output == Console.Out && !Console.IsOutputRedirected) ? Open(output) : null;
        _progress = _console is not null && (isTerminal ?? (error == Console.Error && !Console.IsErrorRedirected)) ? Open(error) : null;
    }

    /// <summary>True when results are shown as tables on a terminal, false when they go into a pipe line by line.</summary>
    internal bool HasTables => _console is not null;

    /// <summary>A result, on stdout.</summary>
    internal void Say(string line) => _output.WriteLine(ShownText.Clean(line));

    /// <summary>A line that a program reads, on stdout.</summary>
    internal void WriteLine(string line) => _output.WriteLine(line);

    /// <summary>Something to know beside the result, on stderr; while a bar is shown there, after it.</summary>
    internal void Note(string line)
    {
        if (_heldNotes is { } held)
        {
            held.Add(line);
        }
        else
        {
            _error.WriteLine(ShownText.Clean(line));
        }
    }

    /// <summary>A table, on stdout.</summary>
    internal void Write(TextTable table)
    {
        if (_console is null)
        {
            foreach (string line in table.ToLines())
            {
                _output.WriteLine(ShownText.Clean(line));
            }

            return;
        }

        Table drawn = new() { Border = TableBorder.Rounded, BorderStyle = new Style(Color.Grey35) };
        for (int column = 0; column < table.Headers.Count; column++)
        {
            TableColumn added = new(new Text(table.Headers[column], new Style(decoration: Decoration.Bold)));
            drawn.AddColumn(table.IsRightAligned(column) ? added.RightAligned() : added);
        }

        foreach (string[] row in table.Rows)
        {
            drawn.AddRow(row.Select(cell => new Text(ShownText.Clean(cell))));
        }

        _console.Write(drawn);
    }

    /// <summary>One JSON document, on stdout.</summary>
    internal void WriteJson(Action<JsonTextWriter> write)
    {
        using JsonTextWriter json = new(_output) { Formatting = Formatting.Indented, CloseOutput = false, StringEscapeHandling = StringEscapeHandling.EscapeNonAscii };
        write(json);
        json.Flush();
        _output.WriteLine();
    }

    /// <summary>Does the work item by item; on a terminal a bar shows how far it is, elsewhere a line on stderr every ten seconds.</summary>
    internal void ForEach<T>(IReadOnlyList<T> items, Func<T, string> name, Action<T> work)
    {
        if (_progress is null || items.Count < 2)
        {
            long told = Stopwatch.GetTimestamp();
            for (int done = 0; done < items.Count; done++)
            {
                if (Stopwatch.GetElapsedTime(told) > BetweenLines)
                {
                    Note($"{done} of {items.Count}, next {name(items[done])}");
                    told = Stopwatch.GetTimestamp();
                }

                work(items[done]);
            }

            return;
        }

        HoldingNotes(() => Bar().Start(context =>
        {
            ProgressTask task = context.AddTask(Markup.Escape(ShownText.Clean(name(items[0]))), maxValue: items.Count);
            foreach (T item in items)
            {
                task.Description = Markup.Escape(ShownText.Clean(name(item)));
                work(item);
                task.Increment(1);
            }

            return items.Count;
        }));
    }

    /// <summary>Does work in steps that it tells of; on a terminal a bar shows how far it is, elsewhere a line on stderr every ten seconds.</summary>
    /// <param name="total">How many steps there are.</param>
    /// <param name="work">Calls what it is given after each step, with the step's name.</param>
    internal void Track(int total, Action<Action<string>> work)
    {
        if (_progress is null)
        {
            int done = 0;
            long told = Stopwatch.GetTimestamp();
            work(name =>
            {
                done++;
                if (Stopwatch.GetElapsedTime(told) > BetweenLines)
                {
                    Note($"{done} of {total}, last {name}");
                    told = Stopwatch.GetTimestamp();
                }
            });
            return;
        }

        HoldingNotes(() => Bar().Start(context =>
        {
            ProgressTask task = context.AddTask("...", maxValue: Math.Max(1, total));
            work(name =>
            {
                task.Description = Markup.Escape(ShownText.Clean(name));
                task.Increment(1);
            });
            return total;
        }));
    }

    /// <summary>Does one long piece of work; on a terminal a spinner says what it is.</summary>
    internal T While<T>(string what, Func<T> work) =>
        _progress is null ? work() : HoldingNotes(() => _progress.Status().Start(Markup.Escape(ShownText.Clean(what)), _ => work()));

    T HoldingNotes<T>(Func<T> work)
    {
        List<string> held = _heldNotes = [];
        try
        {
            return work();
        }
        finally
        {
            _heldNotes = null;
            held.ForEach(Note);
        }
    }

    Progress Bar() => _progress!.Progress().AutoClear(true).Columns(new TaskDescriptionColumn(), new ProgressBarColumn(), new PercentageColumn());

    static IAnsiConsole Open(TextWriter writer) => AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(writer) });
}
